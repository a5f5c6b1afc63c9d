"""Logs a table of messages with Swift's own get_logger.

Usage: stock.py SOCKET < cases. A case is {"conf", "level", "message", "verbose"};
its lines go to the unix datagram socket or, with log_udp_host in conf, over UDP.
After each case the datagram "END" goes to SOCKET and the line END to stderr.
"""
import json
import socket
import sys

from swift.common import utils

end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for i, case in enumerate(json.load(sys.stdin)):
    conf = dict({'log_address': sys.argv[1]}, **case['conf'])
    vars(utils.get_logger).pop('console_handler4logger', None)
    logger = utils.get_logger(conf, conf.get('log_name', 'object-replicator'),
                              log_to_console=case['verbose'],
                              log_route='case%d' % i)
    getattr(logger, case['level'])(case['message'])
    end.sendto(b'END', sys.argv[1])
    print('END', file=sys.stderr, flush=True)
