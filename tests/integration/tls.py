"""TLS for tests: a certificate, and a tunnel for clients that speak in the clear."""

import asyncio
import contextlib
import ssl
import subprocess
import threading


class Certificate:
    """Of localhost and 127.0.0.1, signed by itself: files in `folder`."""

    def __init__(self, folder):
        self.certificate, self.key = f"{folder}/certificate.pem", f"{folder}/key.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"),
                *("-keyout", self.key, "-out", self.certificate),
            ],
            check=True,
            capture_output=True,
        )
        self.flags = [f"--tls_certificate={self.certificate}", f"--tls_key={self.key}"]

    def client_context(self, *protocols):
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols(list(protocols))
        return context


class Tunnel:
    """Takes connections in the clear and passes what they carry to a gRPC server by TLS."""

    def __init__(self, server_address, certificate):
        self._server = server_address.rsplit(":", 1)
        self._context = certificate.client_context("h2")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        listener = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.address = "127.0.0.1:{}".format(listener.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        host, port = self._server
        server_reader, server_writer = await asyncio.open_connection(host, int(port), ssl=self._context)
        await asyncio.gather(self._pass_on(reader, server_writer), self._pass_on(server_reader, writer))

    @staticmethod
    async def _pass_on(reader, writer):
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()
