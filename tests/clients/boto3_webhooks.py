"""Webhooks and their deliveries: boto3_webhooks.py URL first|again [PATH TIME]; `first` prints PATH and TIME last."""

import hashlib
import hmac
import json
import sys
import urllib.error
import urllib.request

from jobs_setup import action, codepipeline, ended, pipeline, source, url
from session import refused, wait

SECRET = "PLANTED-webhook-secret"
MAIN = json.dumps({"ref": "refs/heads/shop.zip", "after": "abc"}).encode()


def post(target, body=MAIN, method="POST", **headers):
    """Status and message of one delivery."""
    request = urllib.request.Request(target, data=body, method=method)
    request.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text else {}


def signed(body=MAIN, secret=SECRET):
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X_Hub_Signature_256": f"sha256={digest}"}


def webhook(name):
    for page in codepipeline.get_paginator("list_webhooks").paginate(PaginationConfig={"PageSize": 1}):
        for item in page["webhooks"]:
            if item["definition"]["name"] == name:
                return item
    return None


def put(name, authentication, configuration, **more):
    definition = dict(
        name=name,
        targetPipeline="shop",
        targetAction="Code",
        filters=[{"jsonPath": "$.ref", "matchEquals": "refs/heads/{S3ObjectKey}"}],
        authentication=authentication,
        authenticationConfiguration=configuration,
    )
    return codepipeline.put_webhook(webhook=definition, **more)["webhook"]


def started(answer):
    status, said = answer
    assert (status, said["message"]) == (200, "started"), answer
    execution = codepipeline.get_pipeline_execution(
        pipelineName="shop", pipelineExecutionId=said["pipelineExecutionId"]
    )
    return execution["pipelineExecution"]["trigger"]


def count():
    return len(codepipeline.list_pipeline_executions(pipelineName="shop")["pipelineExecutionSummaries"])


if sys.argv[2] == "first":
    source()
    codepipeline.create_pipeline(pipeline=pipeline("shop", [action("Ask", "Approval", "AWS", "Manual", {})]))
    github = put("github", "GITHUB_HMAC", {"SecretToken": SECRET}, tags=[{"key": "team", "value": "web"}])
    assert github["definition"]["authenticationConfiguration"] == {"SecretToken": "****"}, github
    target = github["url"]
    assert post(target, X_GitHub_Event="ping", **signed()) == (200, {"message": "pong"})
    before = count()
    sha1 = {"X_Hub_Signature": "sha1=" + hmac.new(SECRET.encode(), MAIN, hashlib.sha1).hexdigest()}
    other = json.dumps({"ref": "refs/heads/other"}).encode()
    for answer, status, part in [
        (post(target), 403, "signature"),
        (post(target, **signed(secret="guessed")), 403, "signature"),
        (post(target, b"{}", **signed()), 403, "signature"),
        (post(target, b"{", **signed(b"{")), 400, "JSON"),
        (post(target, other, **signed(other)), 200, "ignored: filter 1"),
        (post(target[:-1] + "!", **signed()), 404, "no webhook"),
        (post(target, b" " * (5 * 1024 * 1024 + 1)), 413, "5 MB"),
    ]:
        assert answer[0] == status and part in answer[1]["message"], answer
    assert post(target, None, method="GET")[0] == 405
    assert count() == before
    assert webhook("github")["errorCode"] == "400", webhook("github")
    trigger = started(post(target, **signed()))
    assert trigger == {"triggerType": "Webhook", "triggerDetail": github["arn"]}, trigger
    started(post(target, **sha1))
    shown = webhook("github")
    assert "errorCode" not in shown and shown["lastTriggered"], shown

    near = put("near", "IP", {"AllowedIPRange": "127.0.0.0/8"})
    started(post(near["url"]))
    near = put("near", "IP", {"AllowedIPRange": "192.0.2.0/24"})
    assert post(near["url"], X_Forwarded_For="192.0.2.1")[0] == 403
    started(post(put("open", "UNAUTHENTICATED", {})["url"]))

    codepipeline.register_webhook_with_third_party(webhookName="open")
    assert "POST requests" in webhook("open")["errorMessage"]
    old = webhook("open")["url"]
    codepipeline.delete_webhook(name="open")
    codepipeline.delete_webhook(name="open")
    assert post(old)[0] == 404
    assert put("open", "UNAUTHENTICATED", {})["url"] != old
    refused("WebhookNotFoundException", codepipeline.deregister_webhook_with_third_party, webhookName="gone")
    codepipeline.delete_webhook(name="open")
    print(target.removeprefix(url), webhook("github")["lastTriggered"].timestamp())
else:
    path, time = sys.argv[3:]
    kept = webhook("github")
    assert kept["url"] == url + path, kept
    assert kept["lastTriggered"].timestamp() == float(time), kept
    assert kept["tags"] == [{"key": "team", "value": "web"}]
    assert webhook("open") is None
    started(post(kept["url"], **signed()))
    codepipeline.delete_pipeline(name="shop")
    status, said = post(kept["url"], **signed())
    assert status == 409 and "shop" not in said["message"], said
    assert webhook("github")["errorCode"] == "409"
    print("ok")
