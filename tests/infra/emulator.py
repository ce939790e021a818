"""MiniStack, unchanged but for two things.

It takes events whose source begins with `aws.`, since here the test is AWS. And it gives cookies of HTTP requests as AWS
does in payload version 2.0: in `cookies`, not in a header.
"""

import functools
import sys

from ministack.app import main
from ministack.services import eventbridge, lambda_svc

eventbridge._put_events = functools.partial(eventbridge._put_events, allow_aws_source=True)
execute = lambda_svc._execute_function_with_config_scope


def with_cookies(record, event, *more, **named):
    if isinstance(event, dict) and event.get("version") == "2.0" and "cookies" not in event:
        cookie = {name.lower(): name for name in event.get("headers", {})}.get("cookie")
        if cookie:
            event["cookies"] = [one.strip() for one in event["headers"].pop(cookie).split(";")]
    return execute(record, event, *more, **named)


lambda_svc._execute_function_with_config_scope = with_cookies

sys.exit(main())
