"""Does what a person does with the mail about an execution: approve.py URL EXECUTION approve|reject [COMMENT]."""

import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE = 60


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


browser = urllib.request.build_opener(Stay)


def read(url, **headers):
    return browser.open(urllib.request.Request(url, headers={"sec-fetch-site": "none"} | headers))


def mail(url, execution):
    """Link and code of the mail, when it has come."""
    for listed in json.load(read(f"{url}/_stagewright/mail.json"))["mails"]:
        text = json.load(read(f"{url}/_stagewright/mail/{listed['id']}.json"))["text"] or ""
        if f"Execution:  {execution}\n" in text and "Code: " in text:
            return re.search(f"^{re.escape(url)}\\S+", text, re.M)[0], re.search("^Code: (.+)$", text, re.M)[1]
    return None


def answer(url, execution, verdict, comment="as agreed"):
    until = time.monotonic() + PATIENCE
    while not (found := mail(url, execution)):
        if time.monotonic() > until:
            sys.exit(f"waited {PATIENCE} s for the mail about {execution}")
        time.sleep(0.1)
    link, code = found
    shown = read(link)
    page, cookie = shown.read().decode(), shown.headers["set-cookie"].split(";")[0]
    hidden = {name: re.search(f'name="{name}" value="([^"]*)"', page)[1] for name in ["nonce", "seen"]}
    form = dict(intent="decide", verdict=verdict, code=code, comment=comment, **hidden)
    headers = {"sec-fetch-site": "same-origin", "cookie": cookie, "content-type": "application/x-www-form-urlencoded"}
    decide = urllib.request.Request(link, urllib.parse.urlencode(form).encode(), headers)
    try:
        sys.exit(f"the page was shown again: {browser.open(decide).read().decode()}")
    except urllib.error.HTTPError as error:
        assert error.code == 303, (error.code, error.read().decode())


if __name__ == "__main__":
    answer(*sys.argv[1:])
