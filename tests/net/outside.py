"""The servers that clients in a cell reach, or try to: outside.py DIRECTORY.

DIRECTORY holds what is served (`www/`, `repositories/`), a certificate and its key (`cert.pem`, `key.pem`) and gets
`log`, one line for whatever arrives: `to ADDRESS` of a connection for HTTP, `http HOST METHOD PATH`, `tls NAME`,
`dns NAME TYPE`, `udp PORT`, `unix`, `grpc METHOD KEY`, `h2 AUTHORITY METHOD PATH`. Prints `ready` when all listen, and ends when stdin does.
"""

import concurrent.futures
import http.server
import os
import pathlib
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading

HTTP, HTTPS, GRPC, HTTP2 = 8080, 8443, 8444, 8445
# A datagram is answered from the address that its socket is bound to.
DATAGRAMS = (("127.0.0.53", 53), ("8.8.8.8", 53), ("93.184.215.14", 53), ("93.184.215.14", 443),
             ("0.0.0.0", 5353), ("0.0.0.0", 9999))
ANSWER = bytes([93, 184, 215, 14])  # what names below answers.test lead to
DIRECTORY = pathlib.Path(sys.argv[1])
LOCK = threading.Lock()


def note(line):
    with LOCK, open(DIRECTORY / "log", "a") as log:
        log.write(line + "\n")


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=str(DIRECTORY / "www"))

    def log_message(self, *arguments):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:  # the job went away
            self.close_connection = True

    def do_GET(self):
        note(f"http {self.headers.get('Host', '-')} GET {self.path}")
        if self.path.startswith("/git/"):
            self.git(b"")
        else:
            super().do_GET()

    def do_POST(self):
        note(f"http {self.headers.get('Host', '-')} POST {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path.startswith("/git/"):
            self.git(body)
        else:
            self.answer(200, {}, body)

    def setup(self):
        super().setup()
        note(f"to {self.connection.getsockname()[0]}")

    def answer(self, status, fields, body):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def git(self, body):
        path, _, query = self.path.partition("?")
        environment = {"GIT_PROJECT_ROOT": str(DIRECTORY / "repositories"), "GIT_HTTP_EXPORT_ALL": "1",
                       "PATH_INFO": path.removeprefix("/git"), "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                       "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                       "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "PATH": os.environ["PATH"],
                       "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HOME": str(DIRECTORY)}
        done = subprocess.run(["git", "-c", "safe.directory=*", "http-backend"], input=body,
                              env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.answer(int(fields.pop("Status", "200").split()[0]), fields, content)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        pass  # a refused tunnel is cut in the middle of a handshake; what arrived was noted

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "outside", self.server_address[1]


class TlsServer(Server):
    def __init__(self, address, handler, context):
        self.context = context
        super().__init__(address, handler)

    def finish_request(self, request, address):  # in the connection's own thread
        with self.context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, address)


def tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DIRECTORY / "cert.pem", DIRECTORY / "key.pem")
    context.sni_callback = lambda connection, name, _: note(f"tls {name}")
    return context


def name_server_answer(question):
    labels, at = [], 12
    while question[at] != 0:
        labels.append(question[at + 1:at + 1 + question[at]].decode("ascii", "replace"))
        at += 1 + question[at]
    name, end = ".".join(labels), at + 5
    kind = struct.unpack(">H", question[at + 1:at + 3])[0]
    note(f"dns {name} {kind}")
    known = name.endswith(".answers.test")
    records = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + ANSWER if known and kind == 1 else b""
    head = question[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, 1 if records else 0, 0, 0)
    return head + question[12:end] + records


def datagrams(listener, port):
    while True:
        bytes_in, peer = listener.recvfrom(4096)
        if port != 53:
            note(f"udp {port}")
            listener.sendto(b"answer", peer)
        else:
            try:
                answer = name_server_answer(bytes_in)
            except IndexError:
                note("dns malformed")
            else:
                listener.sendto(answer, peer)


def local(listener):
    while True:
        connection, _ = listener.accept()
        note("unix")
        connection.close()


def serve_grpc():
    """Echoes at /writ.Test/Echo and, message by message, at /writ.Test/Talk, where python3-grpcio is there."""
    try:
        import grpc
    except ImportError:
        return None

    def noted(name, context):
        note(f"grpc {name} " + dict(context.invocation_metadata()).get("x-key", "-"))

    def echo(request, context):
        noted("Echo", context)
        context.set_trailing_metadata((("x-sum", str(len(request))),))
        return b"echo of " + request

    def talk(requests, context):
        noted("Talk", context)
        for request in requests:
            yield b"heard " + request

    methods = {"Echo": grpc.unary_unary_rpc_method_handler(echo), "Talk": grpc.stream_stream_rpc_method_handler(talk)}
    pair = ((DIRECTORY / "key.pem").read_bytes(), (DIRECTORY / "cert.pem").read_bytes())
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("writ.Test", methods),))
    server.add_secure_port(f"0.0.0.0:{GRPC}", grpc.ssl_server_credentials([pair]))
    server.start()
    return server


def serve_http2():
    """HTTP/2 and HTTP/1.1, as the client likes, where node is there: a body comes back, else the path."""
    node = shutil.which("node")
    if node is None:
        return None
    script = pathlib.Path(__file__).with_name("outside_http2.js")
    server = subprocess.Popen([node, str(script), str(DIRECTORY), str(HTTP2)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    server.stdout.readline()
    return server


def start(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()


def main():
    start(Server(("0.0.0.0", HTTP), Handler).serve_forever)
    start(Server(("0.0.0.0", 80), Handler).serve_forever)
    start(TlsServer(("0.0.0.0", HTTPS), Handler, tls()).serve_forever)
    for address, port in DATAGRAMS:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((address, port))
        start(datagrams, listener, port)
    for name in (str(DIRECTORY / "outside.sock"), "\0writ-outside"):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(name)
        listener.listen()
        start(local, listener)
    os.chmod(DIRECTORY / "outside.sock", 0o777)
    rpc = serve_grpc()  # serves as long as it is held
    http2 = serve_http2()  # ends when its stdin does
    print("ready", flush=True)
    sys.stdin.read()
    del rpc, http2
    os._exit(0)  # threads may still serve


main()
