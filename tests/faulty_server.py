"""A local web server that fails as servers on the way to weights do."""

import contextlib
import http.server
import itertools
import socketserver
import threading


@contextlib.contextmanager
def serve(
    content,
    cuts=(),
    ranges=True,
    statuses=(),
    length=True,
    tags=(),
    filename=None,
):
    """Serves `content` at every path and yields (address, requests).

    Args:
      content: the file's bytes.
      cuts: for each request in turn, how many bytes to send before the
        connection is cut; all afterwards.
      ranges: whether Range is understood.
      statuses: for each request in turn, a status to refuse with, or 200.
      length: whether Content-Length is told.
      tags: for each request in turn, the file's ETag; the last for all
        afterwards. A part is sent only if If-Range names it.
      filename: what Content-Disposition calls the file.
    """
    cuts, statuses, requests = list(cuts), list(statuses), []
    tags = list(tags)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get('Range')
            requests.append(wanted)
            status = statuses.pop(0) if statuses else 200
            start = 0
            tag = tags.pop(0) if len(tags) > 1 else ''.join(tags)
            known = self.headers.get('If-Range')
            if status == 200 and wanted and ranges and known in (None, tag):
                start = int(wanted.removeprefix('bytes=').rstrip('-'))
                status = 206 if start < len(content) else 416
            body = content[start:] if status in (200, 206) else b''
            self.send_response(status)
            if length:
                self.send_header('Content-Length', str(len(body)))
            if status == 206:
                end = len(content)
                self.send_header(
                    'Content-Range', f'bytes {start}-{end - 1}/{end}'
                )
            if tag:
                self.send_header('ETag', tag)
            if filename:
                self.send_header(
                    'Content-Disposition', f'attachment; filename="{filename}"'
                )
            self.end_headers()
            self.wfile.write(body[: cuts.pop(0)] if cuts else body)
            self.close_connection = True

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={'poll_interval': 0.01}
    )
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}/file.pth', requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def answer(*replies):
    """Sends raw replies, one a connection, the last for all afterwards.

    Args:
      *replies: bytes, or what gives them piece by piece.

    Yields:
      The address, and the requests' texts.
    """
    left, requests = [*replies], []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            lines = itertools.takewhile(
                lambda line: line.strip(), iter(self.rfile.readline, b'')
            )
            requests.append(b''.join(lines).decode())
            reply = left.pop(0) if len(left) > 1 else left[0]
            with contextlib.suppress(OSError):
                for piece in [reply] if isinstance(reply, bytes) else reply():
                    self.wfile.write(piece)

    with socketserver.ThreadingTCPServer(('127.0.0.1', 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(
            target=server.serve_forever, kwargs={'poll_interval': 0.01}
        )
        thread.start()
        try:
            port = server.server_address[1]
            yield f'http://127.0.0.1:{port}/file.pth', requests
        finally:
            server.shutdown()
            thread.join()
