"""A browser as small as the approval page needs it: a page, its cookies, its one form."""

import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser


class Fields(HTMLParser):
    def __init__(self):
        super().__init__()
        self.hidden, self.action = {}, None

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form" and given.get("method") == "post" and not self.action:
            self.action = given["action"]
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given["name"]] = given.get("value", "")


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def open_page(url):
    return urllib.request.urlopen(url)


class Page:
    """What an address shows; names below `localhost` are this machine's port."""

    def __init__(self, url, port, cookies=None, form=None):
        self.url, self.port = url, port
        self.cookies = {} if cookies is None else cookies
        parts = urllib.parse.urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        request = urllib.request.Request(f"http://127.0.0.1:{port}{parts.path}", data=form and urllib.parse.urlencode(form).encode())
        request.add_header("Host", parts.netloc)
        request.add_header("Sec-Fetch-Site", "same-origin" if form else "none")
        request.add_header("Sec-Fetch-Mode", "navigate")
        request.add_header("Sec-Fetch-Dest", "document")
        if form:
            request.add_header("Origin", origin)
            request.add_header("Content-Type", "application/x-www-form-urlencoded")
        if self.cookies:
            request.add_header("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        try:
            answer = urllib.request.build_opener(Stay).open(request)
        except urllib.error.HTTPError as refused:
            answer = refused
        self.status, self.text = answer.status, answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        if self.status in (302, 303):
            self.__init__(urllib.parse.urljoin(url, answer.headers["Location"]), port, self.cookies)

    def send(self, **fields):
        form = Fields()
        form.feed(self.text)
        if not form.action:
            raise SystemExit(f"the page has no form: {self.text[:500]}")
        return Page(urllib.parse.urljoin(self.url, form.action), self.port, self.cookies, form.hidden | fields)
