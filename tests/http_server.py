"""The HTTP server of the tests' stand-ins."""

from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as a run opens. With the five of ``socketserver`` the kernel drops others, which are tried again after a second."""

    request_queue_size = 128
