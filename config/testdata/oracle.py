"""Answer, with Swift's own code, what a configuration means.

Reads one JSON list of requests from stdin and writes one JSON list of answers,
each {"ok": ...} or {"error": "..."}. Needs the swift package.
"""
import configparser
import json
import logging
import sys

from swift.common import storage_policy, utils, wsgi
from swift.obj import replicator


def case_sensitive(*args, **kwargs):
    # what readconf does since Swift 2.31; earlier ones fold keys
    parser = configparser.ConfigParser(*args, **kwargs)
    parser.optionxform = str
    return parser


class Capture(logging.Handler):
    def __init__(self):
        logging.Handler.__init__(self)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def readconf(req):
    original = utils.ConfigParser
    if req.get('case_sensitive'):
        utils.ConfigParser = case_sensitive
    try:
        return utils.readconf(req['path'], req['section'])
    finally:
        utils.ConfigParser = original


def paste(req):
    conf = wsgi.appconfig(req['path'], name=req['section'].split(':')[1])
    return {k: v for k, v in conf.items() if isinstance(v, str)}


def swift_conf(req):
    utils.SWIFT_CONF_FILE = req['path']
    utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b''
    answer = {}
    storage_policy.reload_storage_policies()
    answer['policies'] = [repr(p) for p in storage_policy.POLICIES]
    answer['default'] = int(storage_policy.POLICIES.default)
    utils.validate_configuration()
    answer['prefix'] = utils.HASH_PATH_PREFIX.hex()
    answer['suffix'] = utils.HASH_PATH_SUFFIX.hex()
    return answer


def daemon(req):
    """The attributes of a replicator made from a section, and its warnings."""
    utils.SWIFT_CONF_FILE = '/nonexistent'
    storage_policy.reload_storage_policies()  # one policy
    conf = utils.readconf(req['path'], req['section'])
    capture = Capture()
    logger = logging.Logger('oracle')
    logger.addHandler(capture)
    d = replicator.ObjectReplicator(conf, logger=logger)
    manager = d._df_router.policy_to_manager[storage_policy.POLICIES[0]]
    reserve, percent = utils.config_fallocate_value(
        conf.get('fallocate_reserve', '1%'))
    return {
        'devices': d.devices_dir, 'mount_check': d.mount_check,
        'swift_dir': d.swift_dir, 'ring_ip': d.ring_ip,
        'servers_per_port': d.servers_per_port, 'bind_port': d.port or 0,
        'concurrency': d.concurrency, 'stats_interval': d.stats_interval,
        'replicator_workers': max(0, d.replicator_workers),
        'ring_check_interval': d.ring_check_interval, 'interval': d.interval,
        'rsync_timeout': d.rsync_timeout,
        'rsync_io_timeout': d.rsync_io_timeout,
        'rsync_bwlimit': d.rsync_bwlimit, 'rsync_compress': d.rsync_compress,
        'rsync_module': d.rsync_module, 'http_timeout': d.http_timeout,
        'recon_cache_path': d.recon_cache_path,
        'conn_timeout': d.conn_timeout, 'node_timeout': d.node_timeout,
        'network_chunk_size': d.network_chunk_size,
        'log_rsync_transfers': d.log_rsync_transfers,
        'rsync_error_log_line_length': d.rsync_error_log_line_length,
        'handoffs_first': d.handoffs_first,
        'handoff_delete': d.handoff_delete or 'auto',
        'sync_method': d.sync_method.__name__,
        'log_name': conf['log_name'],
        'user': conf.get('user', 'swift'),
        'daemonize': utils.config_true_value(conf.get('daemonize', 'true')),
        'log_level': logging.getLevelName(
            utils.get_logger(conf, log_route=req['path'])
            .logger.getEffectiveLevel()),
        'reclaim_age': manager.reclaim_age,
        'commit_window': manager.commit_window,
        'replication_concurrency_per_device':
            manager.replication_concurrency_per_device,
        'replication_lock_timeout': manager.replication_lock_timeout,
        'disk_chunk_size': manager.disk_chunk_size,
        'keep_cache_size': manager.keep_cache_size,
        'mb_per_sync': manager.bytes_per_sync // 1024 // 1024,
        'fallocate_reserve': '%g%%' % reserve if percent else reserve,
        'warnings': list(dict.fromkeys(capture.lines)),
    }


VALUES = {
    'int': int,
    'float': lambda s: repr(float(s)),
    'true': utils.config_true_value,
    'csv': utils.list_from_csv,
    'repr': repr,
    'strip': str.strip,
}


def value(req):
    return VALUES[req['function']](req['text'])


def answer(req):
    try:
        return {'ok': globals()[req['do']](req)}
    except SystemExit as e:
        return {'error': str(e.code)}
    except Exception as e:
        return {'error': '%s: %s' % (type(e).__name__, e)}


logging.getLogger('swift.common.storage_policy').addHandler(
    logging.NullHandler())
json.dump([answer(r) for r in json.load(sys.stdin)], sys.stdout)
