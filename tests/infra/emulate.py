"""Deploys the templates to MiniStack, which runs the real bootstraps, and uses them: emulate.py FOLDER BINARIES

FOLDER is where install.sh put the emulator, BINARIES where the functions and `stagewright` are. CodePipeline is our engine
(`AWS_ENDPOINT_URL_CODEPIPELINE`), everything else the emulator. Prints what it sees; ends with 1 at the first difference.
"""

import contextlib
import http.server
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile

import botocore.session
from botocore.config import Config

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REGION, ACCOUNT = "eu-west-1", "000000000000"
PATIENCE = int(os.environ.get("PATIENCE", "120"))  # seconds for anything




def say(text):
    print(text, flush=True)


def until(what, look, patience=None):
    """What `look` gives, once it gives something."""
    patience = patience or PATIENCE
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with contextlib.suppress(LookupError, urllib.error.URLError, ConnectionError):
            if found := look():
                return found
        time.sleep(0.2)
    raise SystemExit(f"{what}: nothing after {patience} s")


def same(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, not {wanted!r}")
    say(f"  {what}: {wanted}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def package(binary):
    """A zip as infra/package.sh makes it, of a binary without its debug information."""
    with tempfile.NamedTemporaryFile() as bare:
        subprocess.run(["strip", "-o", bare.name, binary], check=True)
        content = pathlib.Path(bare.name).read_bytes()
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(entry, content)
    return packed.getvalue()


def plain(stage, template, *parameters):
    """A template as CloudFormation without SAM takes it."""
    made = subprocess.run([stage.python, ROOT / "infra/plain.py", ROOT / "infra" / template, *parameters], check=True, stdout=subprocess.PIPE)
    return json.loads(made.stdout)


class Stage:
    """The emulator and the engine, both on free ports of this machine."""

    def __init__(self, folder, binaries):
        self.folder, self.binaries = pathlib.Path(folder), pathlib.Path(binaries)
        self.python = self.folder / "emulator/bin/python3"
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="stagewright-infra-"))
        self.started = []
        self.received = []

    def __enter__(self):
        self.receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        self.relay = f"http://127.0.0.1:{self.receiver.server_port}/"
        (self.state / "stagewright.toml").write_text(
            f'[engine]\naccount = "{ACCOUNT}"\nregion = "{REGION}"\ncontinuation_seconds = 1\n[bucket.artifacts]\n'
            f'[topic.approvals]\nsubscriptions = [{{ protocol = "http", endpoint = "{self.relay}" }}]\n')
        serve = [self.binaries / "stagewright", "serve", "--listen", "127.0.0.1:0", "--state", self.state / "engine",
                 "--config", self.state / "stagewright.toml"]
        engine = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=open(self.state / "engine.log", "w"), text=True)
        self.started.append(engine)
        self.engine_url = engine.stdout.readline().removeprefix("listening on ").strip()
        threading.Thread(target=engine.stdout.read, daemon=True).start()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.state), "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port),
            "AWS_ENDPOINT_URL": self.url, "AWS_ENDPOINT_URL_CODEPIPELINE": self.engine_url, "AWS_DEFAULT_REGION": REGION,
            "MINISTACK_REGION": REGION, "AWS_SESSION_TOKEN": "test", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
        log = open(self.state / "emulator.log", "w")
        emulator = subprocess.Popen([self.python, HERE / "emulator.py"], env=environment, stdout=log, stderr=log, start_new_session=True)
        self.started.append(emulator)
        until("the emulator", lambda: urllib.request.urlopen(self.url + "/_ministack/health").status == 200)
        return self

    def __exit__(self, kind, *_):
        if kind:
            with contextlib.suppress(Exception):
                self.keep_logs()
        self.receiver.shutdown()
        engine, emulator = self.started
        os.killpg(emulator.pid, signal.SIGKILL)  # with SIGTERM alone it leaves its warm functions behind
        engine.terminate()
        for one in self.started:
            one.wait()
        if kind:
            say(f"logs: {self.state}")
        else:
            shutil.rmtree(self.state)

    def keep_logs(self):
        """What the functions logged, beside the logs of emulator and engine."""
        logs = self.client("logs")
        with open(self.state / "functions.log", "w") as kept:
            for group in logs.describe_log_groups()["logGroups"]:
                for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
                    print(group["logGroupName"], event["message"].rstrip(), file=kept)

    def handler(self):
        received = self.received

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if "SubscribeURL" in body:
                    urllib.request.urlopen(body["SubscribeURL"]).read()
                received.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def client(self, service, url=None):
        session = botocore.session.get_session()
        session.set_credentials("test", "test")
        return session.create_client(service, region_name=REGION, endpoint_url=url or self.url,
                                     config=Config(retries={"max_attempts": 1}, read_timeout=PATIENCE, s3={"addressing_style": "path"}))


def stack(stage, name, template, parameters, change=False):
    """Makes or updates a stack and counts what is there against the template: `CREATE_COMPLETE` alone is no proof."""
    cloudformation = stage.client("cloudformation")
    # By address, as large templates must be.
    stage.client("s3").put_object(Bucket="packages", Key=f"{name}.json", Body=json.dumps(template).encode())
    call = cloudformation.update_stack if change else cloudformation.create_stack
    pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    call(StackName=name, TemplateURL=f"{stage.url}/packages/{name}.json", Parameters=pairs,
         Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])

    def over():
        one = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return one if one["StackStatus"].endswith(("COMPLETE", "FAILED")) else None

    now = until(f"stack {name}", over)
    if now["StackStatus"] != ("UPDATE_COMPLETE" if change else "CREATE_COMPLETE"):
        raise SystemExit(f"{name}: {now['StackStatus']} {now.get('StackStatusReason')}")
    there = {one["LogicalResourceId"] for one in cloudformation.describe_stack_resources(StackName=name)["StackResources"]}
    wanted = set(expected(template, parameters))
    if there != wanted:
        raise SystemExit(f"{name}: missing {sorted(wanted - there)}, too many {sorted(there - wanted)}")
    say(f"  {name}: {now['StackStatus']}, {len(there)} resources, each of the template's whose condition holds")
    return {one["OutputKey"]: one["OutputValue"] for one in now.get("Outputs", [])}


def expected(template, parameters):
    """Logical ids whose condition holds."""
    values = {key: one.get("Default", "") for key, one in template.get("Parameters", {}).items()} | parameters

    def value(one):
        if isinstance(one, dict) and "Ref" in one:
            return str(values[one["Ref"]])
        if isinstance(one, dict) and "Fn::Join" in one:
            return str(value(one["Fn::Join"][1]))
        return str(one)

    def holds(one):
        (kind, argument), = one.items()
        return {
            "Fn::Equals": lambda: value(argument[0]) == value(argument[1]),
            "Fn::Not": lambda: not holds(argument[0]),
            "Fn::And": lambda: all(map(holds, argument)),
            "Fn::Or": lambda: any(map(holds, argument)),
            "Condition": lambda: holds(template["Conditions"][argument]),
        }[kind]()

    for name, resource in template["Resources"].items():
        condition = resource.get("Condition")
        if condition is None or holds(template["Conditions"][condition]):
            yield name


def main(folder, binaries):
    with Stage(folder, binaries) as stage:
        from scenes import play  # beside this file
        play(stage)
    say("ok")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main(*sys.argv[1:])
