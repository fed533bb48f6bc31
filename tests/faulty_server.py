"""A local web server that fails as servers on the way to weights do."""

import contextlib
import http.server
import threading
import time


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
                size = len(content)
                self.send_header(
                    'Content-Range', f'bytes {start}-{size - 1}/{size}'
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

    with _running(Handler) as url:
        yield url, requests


@contextlib.contextmanager
def _running(handler):
    """Yields the address of a server in a thread."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={'poll_interval': 0.01}
    )
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}/file.pth'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def serve_answers(*answers):
    """Serves answers written by hand; yields (address, requests).

    Args:
      *answers: for each request in turn, a function (headers of the request,
        send) that sends the bytes of a whole answer; the last for all
        afterwards.
    """
    answers, requests = list(answers), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.headers.get('Range'))
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            # The client goes when it has seen enough.
            with contextlib.suppress(ConnectionError):
                answer(self.headers, self.wfile.write)
            self.close_connection = True

        def log_message(self, *args):
            pass

    with _running(Handler) as url:
        yield url, requests


def answer(status='200 OK', body=b'', length=True, sent=None, **headers):
    """Returns an answer for `serve_answers`.

    Args:
      status: code and reason.
      body: bytes.
      length: whether its Content-Length is told, or what is told in its place.
      sent: how many bytes are sent before the connection is closed.
      **headers: names with _ for -.
    """

    def write(_, send):
        lines = [f'HTTP/1.1 {status}', 'Connection: close']
        if length is not False:
            told = len(body) if length is True else length
            lines.append(f'Content-Length: {told}')
        for name, value in headers.items():
            lines.append(f'{name.replace("_", "-")}: {value}')
        send('\r\n'.join([*lines, '', '']).encode('latin-1'))
        send(body[:sent])

    return write


def from_range(body, **headers):
    """Returns an answer that sends what Range asks for, and nothing else."""

    def write(request, send):
        start = int(request['Range'].removeprefix('bytes=').rstrip('-'))
        where = f'bytes {start}-{len(body) - 1}/{len(body)}'
        told = {'Content_Range': where, **headers}
        part = answer('206 Partial Content', body[start:], **told)
        part(request, send)

    return write


def endless(length=False, **headers):
    """Returns an answer that sends zeros until the client goes."""

    def write(request, send):
        answer(length=length, **headers)(request, send)
        while True:
            send(bytes(1 << 16))

    return write


def trickling(body, pause=0.02):
    """Returns an answer that sends a byte at a time."""

    def write(request, send):
        answer(length=len(body))(request, send)
        for i in range(len(body)):
            send(body[i : i + 1])
            time.sleep(pause)

    return write


def chunked(body, end=b'0\r\n\r\n'):
    """Returns a body in chunks of up to 1000 bytes."""
    parts = [body[i : i + 1000] for i in range(0, len(body), 1000)]
    chunks = [b'%x\r\n%b\r\n' % (len(part), part) for part in parts]
    return b''.join(chunks) + end
