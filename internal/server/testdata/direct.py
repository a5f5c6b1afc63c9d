"""Use an object server as Swift's own services do, by direct_client.

direct.py IP PORT: print one line of JSON for what each step found.
"""
import json
import sys
import time

from swift.common import direct_client
from swift.common.exceptions import ClientException

node = {'ip': sys.argv[1], 'port': int(sys.argv[2]), 'device': 'sda1',
        'replication_ip': sys.argv[1], 'replication_port': int(sys.argv[2])}
begin = int(time.time()) - 1000
where = (node, 7, 'a', 'c', 'o \u00fc')
# a request that is silent may take no longer
patience = {'conn_timeout': 30, 'response_timeout': 30}


def at(second, **more):
    return dict({'X-Timestamp': '%d.00000' % (begin + second)}, **more)


def step(name, f, *args, **kwargs):
    try:
        found = f(*args, **dict(patience, **kwargs))
    except ClientException as err:
        found = [err.http_status]
    if isinstance(found, tuple):  # headers, body
        headers, body = found
        found = [headers.get('Content-Length'), headers.get('X-Object-Meta-Color'),
                 len(body), body[:3].decode('latin-1')]
    elif hasattr(found, 'items'):
        found = [found.get('Content-Length'), found.get('X-Object-Meta-Color')]
    print(json.dumps([name, found]))


big = b'x' * 3000000


def chunks():
    for i in range(30):
        yield b'y' * 100000


step('head nothing', direct_client.direct_head_object, *where)
step('put', direct_client.direct_put_object, *where, contents=big,
     headers=at(1, **{'X-Object-Meta-Color': 'red'}), content_length=len(big))
step('put older', direct_client.direct_put_object, *where, contents=b'old',
     headers=at(0))
step('head', direct_client.direct_head_object, *where)
step('get', direct_client.direct_get_object, *where)
step('post', direct_client.direct_post_object, *where,
     headers=at(2, **{'X-Object-Meta-Color': 'bl\u00fc'}))
step('get posted', direct_client.direct_get_object, *where)
step('put chunked', direct_client.direct_put_object, *where, contents=chunks(),
     headers=at(3), chunk_size=65536)
step('get chunked', direct_client.direct_get_object, *where)
step('delete', direct_client.direct_delete_object, *where, headers=at(4))
step('get deleted', direct_client.direct_get_object, *where)
fragment = at(5, **{'X-Backend-Storage-Policy-Index': '2',
                    'X-Object-Sysmeta-Ec-Frag-Index': '1',
                    'X-Object-Sysmeta-Ec-Etag': 'e'})
step('put fragment', direct_client.direct_put_object, *where, contents=b'frag',
     headers=fragment)
step('tell suffixes', lambda **ignored: direct_client.direct_get_suffix_hashes(
    node, 7, ['abc'], headers={'X-Backend-Storage-Policy-Index': '2'}, **patience))
