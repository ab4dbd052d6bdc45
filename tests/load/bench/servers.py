"""Servers under test: started with a configuration of their own on free loopback ports, ended by their process ids whatever
happens. How they are loaded is the caller's business."""

import contextlib
import json
import shlex
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

LIMIT = 20


class NotStarted(Exception):
    """A server did not come up; the message names it and what it said last."""


@dataclass
class Server:
    whip: str
    rtsp: str
    pids: dict = field(default_factory=dict)


@dataclass
class Peer:
    command: str
    whip: str = ""
    rtsp: str = ""


# What is known of the peers that need a file: their addresses; the file comes from the function below.
KNOWN = {
    "mediamtx": ("http://127.0.0.1:{whip}/{name}/whip", "rtsp://127.0.0.1:{rtsp}/{name}"),
    "live777": ("http://127.0.0.1:{whip}/whip/{name}", "rtsp://127.0.0.1:{rtsp}/{name}"),
}


def peers(commands, whip, rtsp):
    """The peers of the command line by name."""
    def pairs(words, option):
        for word in words:
            name, found, value = word.partition("=")
            if not found or not name or not value:
                raise ValueError(f"{option} {word!r} is not NAME=VALUE")
            yield name, value

    found = {name: Peer(command, *KNOWN.get(name, ("", ""))) for name, command in pairs(commands, "--peer")}
    for words, option, key in [(whip, "--peer-whip", "whip"), (rtsp, "--peer-rtsp", "rtsp")]:
        for name, url in pairs(words, option):
            if name not in found:
                raise ValueError(f"{option} {name}=... without --peer {name}=COMMAND")
            setattr(found[name], key, url)
    for name, peer in found.items():
        if not peer.whip or not peer.rtsp:
            raise ValueError(f"--peer {name} needs --peer-whip {name}=URL and --peer-rtsp {name}=URL: how is it reached?")
    return found


def free_port():
    """An even TCP and UDP port whose neighbour is free too, below those that the kernel gives to connections."""
    for port in range(20_000 + 2 * (time.monotonic_ns() // 1000 % 5000), 32_000, 2):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for number in (port, port + 1):
                    stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", number))
            return port
    raise NotStarted("no free port on 127.0.0.1")


def mediamtx(ports):
    return f"""
logLevel: warn
udpReadBufferSize: 4194304
api: false
metrics: false
rtmp: false
hls: false
srt: false
moq: false
rtsp: true
rtspTransports: [tcp, udp]
rtspAddress: 127.0.0.1:{ports['rtsp']}
rtpAddress: 127.0.0.1:{ports['rtp']}
rtcpAddress: 127.0.0.1:{ports['rtp'] + 1}
webrtc: true
webrtcAddress: 127.0.0.1:{ports['whip']}
webrtcLocalUDPAddress: 127.0.0.1:{ports['udp']}
webrtcIPsFromInterfaces: false
webrtcAdditionalHosts: [127.0.0.1]
paths:
  all_others:
"""


def live777(ports):
    return f"""
[http]
listen = "127.0.0.1:{ports['whip']}"
[rtsp]
listen = "127.0.0.1:{ports['rtsp']}"
[webrtc]
ice_udp_addrs = ["127.0.0.1:0"]
[log]
level = "warn"
"""


def weft(ports, address_file, nats=None):
    text = f"""
webrtcAddress: 127.0.0.1:0
webrtcLocalUDPAddress: 127.0.0.1:0
rtspAddress: 127.0.0.1:0
rtpAddress: 127.0.0.1:{ports['rtp']}
rtcpAddress: 127.0.0.1:{ports['rtp'] + 1}
hlsAddress: 127.0.0.1:0
apiAddress: 127.0.0.1:0
metricsAddress: 127.0.0.1:0
fabric:
  addressFile: {address_file}
"""
    return text + (f"  nats:\n    servers: [\"nats://127.0.0.1:{nats}\"]\n" if nats else "")


def nats_conf(port, store):
    """What compose/nats.conf sets for live media, without its users."""
    return f"""
listen: 127.0.0.1:{port}
no_fast_producer_stall: true
write_deadline: "2s"
max_pending: 16MB
max_payload: 4MB
ping_interval: "10s"
jetstream: {{ store_dir: "{store}", max_memory_store: 64MB, max_file_store: 1GB }}
"""


class Processes:
    """Children that are ended in the opposite order of their start."""

    def __init__(self, scratch):
        self.scratch, self.children = scratch, []

    def start(self, name, command):
        log = open(self.scratch / f"{name}.log", "w+b")
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.scratch)
        except OSError as error:
            raise NotStarted(f"{name}: {shlex.join(map(str, command))}: {error}") from error
        self.children.append((name, child, log))
        return child

    def wait(self, name, ready):
        """Until `ready` has an answer."""
        child, log = next((child, log) for known, child, log in self.children if known == name)
        end = time.monotonic() + LIMIT
        while time.monotonic() < end and child.poll() is None:
            answer = ready()
            if answer:
                return answer
            time.sleep(0.05)
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines()[-5:]
        raise NotStarted(f"{name} is not ready after {LIMIT} s or has ended; it says:\n" + "\n".join(said))

    def end(self):
        for _, child, log in reversed(self.children):
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            log.close()


def listens(port):
    def ready():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False
    return ready


def start_weft(processes, options, role, nats=None):
    """A node; its addresses by name."""
    scratch = processes.scratch
    file, config = scratch / f"{role}.json", scratch / f"{role}.yml"
    file.unlink(missing_ok=True)
    config.write_text(weft({"rtp": free_port()}, file, nats))
    processes.start(role, [options.weft, role, "--config", config])

    def ready():
        with contextlib.suppress(OSError, ValueError):
            return json.loads(file.read_text())
        return None
    return processes.wait(role, ready)


def start_peer(processes, name, peer):
    ports = {key: free_port() for key in ("whip", "rtsp", "udp", "rtp")}
    command = shlex.split(peer.command)
    if name == "mediamtx":
        file = processes.scratch / "mediamtx.yml"
        file.write_text(mediamtx(ports))
        command = [*command, file]
    elif name == "live777":
        file = processes.scratch / "live777.toml"
        file.write_text(live777(ports))
        command = [*command, "--config", file]
    else:
        for key, port in ports.items():
            command = [word.replace("{" + key + "}", str(port)) for word in command]
    processes.start(name, command)
    processes.wait(name, listens(ports["whip"]))
    processes.wait(name, listens(ports["rtsp"]))

    def address(text):
        for key, port in ports.items():
            text = text.replace("{" + key + "}", str(port))
        return text
    return Server(address(peer.whip), address(peer.rtsp))


@contextlib.contextmanager
def running(system, options, scratch):
    """A fresh server of this kind, for as long as the block lasts."""
    folder = Path(scratch) / f"{system}-{time.monotonic_ns()}"
    folder.mkdir()
    processes = Processes(folder)
    try:
        if system == "standalone":
            addresses = start_weft(processes, options, "standalone")
            server = Server(f"http://{addresses['webrtc']}/{{name}}/whip", f"rtsp://{addresses['rtsp']}/{{name}}")
        elif system == "distributed":
            port = free_port()
            (folder / "nats.conf").write_text(nats_conf(port, folder / "store"))
            processes.start("nats", [options.nats_server, "-c", folder / "nats.conf"])
            processes.wait("nats", listens(port))
            ingest = start_weft(processes, options, "ingest", port)
            egress = start_weft(processes, options, "egress", port)
            server = Server(f"http://{ingest['webrtc']}/{{name}}/whip", f"rtsp://{egress['rtsp']}/{{name}}")
        else:
            server = start_peer(processes, system, options.peers[system])
        server.pids = {name: child.pid for name, child, _ in processes.children}
        yield server
    finally:
        processes.end()
