"""A headless Chromium driven over the WebDriver protocol, which is plain HTTP.

It needs `chromium` and `chromedriver` on the path and no Python package.
"""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # Named so by the standard.
KEYS = {
    'left': '\ue012',
    'right': '\ue014',
    'enter': '\ue007',
    'tab': '\ue004',
}
BROWSERS = ('chromium', 'google-chrome', 'chromium-browser')


class Browser:
    """One session; every name that is looked up on the network fails."""

    def __init__(self, address, binary, downloads):
        self.address = f'{address}/session'
        options = {
            'binary': binary,
            'args': [
                *('--headless=new', '--no-sandbox', '--disable-gpu'),
                *('--disable-dev-shm-usage', '--touch-events=enabled'),
                '--window-size=1000,800',
                '--host-resolver-rules=MAP * ~NOTFOUND',
            ],
            'prefs': {'download.default_directory': str(downloads)},
        }
        wanted = {
            'browserName': 'chrome',
            'goog:chromeOptions': options,
            'goog:loggingPrefs': {'browser': 'ALL'},
            'unhandledPromptBehavior': 'accept',
        }
        found = self.send('', {'capabilities': {'alwaysMatch': wanted}})
        self.address += f'/{found["sessionId"]}'

    def send(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, method=method
        )
        request.add_header('Content-Type', 'application/json')
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)['value']

    def open(self, url):
        self.send('/url', {'url': url})

    def script(self, text, *arguments):
        body = {'script': text, 'args': list(arguments)}
        return self.send('/execute/sync', body)

    def find(self, selector):
        body = {'using': 'css selector', 'value': selector}
        return self.send('/element', body)[ELEMENT]

    def click(self, selector):
        self.send(f'/element/{self.find(selector)}/click', {})

    def type(self, selector, text):
        self.send(f'/element/{self.find(selector)}/value', {'text': text})

    def press(self, key):
        steps = [{'type': t, 'value': KEYS[key]} for t in ('keyDown', 'keyUp')]
        self._act({'type': 'key', 'id': 'keyboard', 'actions': steps})

    def tap(self, selector):
        place = {ELEMENT: self.find(selector)}
        steps = [
            {'type': 'pointerMove', 'x': 0, 'y': 0, 'origin': place},
            {'type': 'pointerDown', 'button': 0},
            {'type': 'pointerUp', 'button': 0},
        ]
        kind = {'pointerType': 'touch'}
        self._act(
            {
                'type': 'pointer',
                'id': 'finger',
                'parameters': kind,
                'actions': steps,
            }
        )

    def _act(self, source):
        self.send('/actions', {'actions': [source]})

    def until(self, condition, seconds=20):
        """Waits until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.script(f'return Boolean({condition})'):
            assert time.monotonic() < end, f'never came true: {condition}'
            time.sleep(0.02)

    def narrow(self, width, height, touch=True):
        """Sets the viewport in CSS pixels; windows cannot be as narrow."""
        size = {'width': width, 'height': height, 'deviceScaleFactor': 1}
        self.emulate('setDeviceMetricsOverride', {**size, 'mobile': touch})

    def prefer(self, scheme):
        """Asks for 'light' or 'dark' pages."""
        wish = {'name': 'prefers-color-scheme', 'value': scheme}
        self.emulate('setEmulatedMedia', {'features': [wish]})

    def emulate(self, what, values):
        body = {'cmd': f'Emulation.{what}', 'params': values}
        self.send('/goog/cdp/execute', body)

    def violations(self, rules=()):
        """What axe-core finds wrong in the page, or skips the test.

        The script is looked for as $AXE_CORE and as npm installs it here or
        globally.
        """
        self.script(axe_core())
        found = self.wait_for(
            'axe.run(document, {resultTypes: ["violations"]})'
        )
        return [
            (each['id'], node['target'])
            for each in found['violations']
            if each['id'] not in rules
            for node in each['nodes']
        ]

    def wait_for(self, promise):
        """The value that a JavaScript promise comes to."""
        body = {
            'script': f'const end = arguments[0]; ({promise}).then(end, end)',
            'args': [],
        }
        return self.send('/execute/async', body)

    def complaints(self):
        """Errors that the page caused, blocked requests among them."""
        log = self.send('/se/log', {'type': 'browser'})
        return [entry['message'] for entry in log]

    def picture(self):
        """The window as the bytes of a PNG file."""
        return base64.b64decode(self.send('/screenshot'))


def axe_core():
    """The text of axe-core, or skips the test where there is none."""
    places = [os.environ.get('AXE_CORE', '')]
    npm = shutil.which('npm')
    roots = ['node_modules']
    if npm:
        done = subprocess.run([npm, 'root', '-g'], capture_output=True)
        roots.append(done.stdout.decode().strip())
    places += [f'{root}/axe-core/axe.min.js' for root in roots]
    for place in places:
        if os.path.isfile(place):
            return pathlib.Path(place).read_text(encoding='utf-8')
    pytest.skip('axe-core is not installed: npm install axe-core')


@contextlib.contextmanager
def chromium(downloads):
    """Yields a Browser, or skips the test where there is none."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which('chromedriver')
    if not binary or not driver:
        pytest.skip('chromium and chromedriver are not installed')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [driver, f'--port={port}'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(port, server)
        browser = Browser(f'http://127.0.0.1:{port}', binary, downloads)
        try:
            yield browser
        finally:
            browser.send('', method='DELETE')
    finally:
        server.terminate()
        server.wait(10)


def _await(port, server):
    for _ in range(200):
        assert server.poll() is None, 'chromedriver ended at once'
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        time.sleep(0.05)
    raise TimeoutError('chromedriver does not answer')
