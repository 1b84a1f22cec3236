"""A cloud's metadata service for one machine, put up beside it: its own user data, for whoever may reach the address.

A network namespace of the machine stands for the cloud: on its far side are the addresses that clouds use, by IPv4 and
IPv6, with the machine's user data on port 80, and on port 53 what stands for a name server. What never happens here: a
rule about who may ask. That is the product's.
"""

from __future__ import annotations

from testbed.virtual.agent import Agent, Done

SERVER = """\
import http.server, socket, socketserver, sys, threading

DATA = {80: open("/var/lib/cloud/instance/user-data.txt", "rb").read(), 53: b"names"}

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content = DATA[self.server.server_address[1]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

class Server(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address, daemon_threads = socket.AF_INET6, True, True

servers = [Server(("::", port), Answer) for port in DATA]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
"""
_SCRIPT = """\
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip netns add cloud
ip link add cloud0 type veth peer name cloud1 netns cloud
ip addr add 169.254.0.1/16 dev cloud0
ip -6 addr add fd00:ec2::1/64 dev cloud0 nodad
ip link set cloud0 up
ip -n cloud addr add 169.254.169.254/16 dev cloud1
ip -n cloud -6 addr add fd00:ec2::254/64 dev cloud1 nodad
ip -n cloud link set cloud1 up
systemd-run --quiet --unit=metadata ip netns exec cloud /usr/bin/python3 -c "$1"
"""


def put_up(agent: Agent) -> Done:
    """Once on a machine; it listens some moments later. Raises AgentUnheard."""
    return agent.run("/bin/sh", "-c", _SCRIPT, "sh", SERVER, deadline_s=120.0)
