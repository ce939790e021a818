"""Two clients of Jenkins against its stand-in: jenkins_session.py URL TOKEN PASSWORD. Job team/app with REF and PIPELINE_RUN."""

import sys

import api4jenkins
import jenkins
from api4jenkins.exceptions import AuthenticationError, ItemNotFoundError

from session import wait

url, token, password = sys.argv[1:]

# python-jenkins, with the password: it fetches a crumb and keeps the session.
server = jenkins.Jenkins(url, username="pipeline", password=password)
info = server.get_job_info("team/app")
assert info["buildable"] and info["name"] == "app", info
declared = [one["name"] for part in info["property"] for one in part.get("parameterDefinitions", [])]
assert declared == ["REF", "PIPELINE_RUN"], declared
number = server.build_job("team/app", {"REF": "main", "PIPELINE_RUN": "one"})
item = server.get_queue_item(number)
assert item["why"] and "executable" not in item, item
executable = wait("the build", lambda: server.get_queue_item(number).get("executable"))
assert executable["url"] == f"{url}/job/team/job/app/1/", executable
build = server.get_build_info("team/app", executable["number"])
assert build["building"] and build["result"] is None and build["queueId"] == number, build
build = wait("its end", lambda: (lambda b: b if not b["building"] else None)(server.get_build_info("team/app", 1)))
assert build["result"] == "SUCCESS" and build["duration"] > 0, build
assert "Finished: SUCCESS" in server.get_build_console_output("team/app", 1)
report = server.get_build_test_report("team/app", 1)
assert (report["failCount"], report["passCount"]) == (0, 4), report
assert server.get_build_artifact_as_bytes("team/app", 1, "dist/app.jar") == b"jar"
queued = server.build_job("team/app", {"REF": "cancelled"})
server.cancel_queue(queued)
assert server.get_queue_item(queued)["cancelled"] is True
for who, name, wanted in [
    (jenkins.Jenkins(url, "pipeline", "wrong"), "team/app", "401"),
    (server, "team/absent", "does not exist"),
]:
    try:
        who.get_job_info(name)
        sys.exit(f"{wanted} is missing")
    except jenkins.JenkinsException as error:
        assert wanted in str(error), error

# api4jenkins, with the API token: it takes classes and addresses from the answers.
server = api4jenkins.Jenkins(url, auth=("pipeline", token))
job = server.get_job("team/app")
assert type(job).__name__ == "WorkflowJob" and job.buildable, job
item = job.build(REF="main", PIPELINE_RUN="two")
build = wait("the build", lambda: item._class.endswith("$LeftItem") and item.api_json()["executable"] and item.get_build())
assert build.building and build.number == 2, build.api_json()
assert {one.name: one.value for one in build.get_parameters()} == {"REF": "main", "PIPELINE_RUN": "two"}
build.stop()
wait("its end", lambda: not build.building)
assert build.result == "ABORTED", build.result
assert job.get(1).get_test_report().pass_count == 4
assert any("Finished" in line for line in job.get(1).console_text())
for who, wanted in [
    (lambda: api4jenkins.Jenkins(url, auth=("pipeline", "wrong")).get_job("team/app"), AuthenticationError),
    (lambda: api4jenkins.Jenkins(url).api_json(), PermissionError),
    (lambda: job.get(1).handle_req("GET", "absent"), ItemNotFoundError),
]:
    try:
        who()
        sys.exit(f"{wanted} is missing")
    except wanted:
        pass
print("ok")
