"""A job worker of somebody else's beside action-jenkins: jenkins_worker.py URL JENKINS TOKEN PROJECT SECONDS.

Does each job at once by one build, whose parameter PIPELINE_RUN is the action execution, and prints that. A job that is
continued is the other worker's: its token means nothing here, so it is not taken. Ends when it was idle for SECONDS.
"""

import base64
import sys
import time
import urllib.parse
import urllib.request

from botocore.exceptions import ClientError

from session import client

url, jenkins, token, project, patience = sys.argv[1:]
codepipeline = client("codepipeline", url)
kind = {"category": "Build", "owner": "Custom", "provider": "Jenkins", "version": "1"}
authorization = "Basic " + base64.b64encode(f"pipeline:{token}".encode()).decode()


def build(run):
    """Queues a build; its address in the queue."""
    form = urllib.parse.urlencode({"PIPELINE_RUN": run}).encode()
    request = urllib.request.Request(
        f"{jenkins}/job/{project}/buildWithParameters", data=form, headers={"Authorization": authorization}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201, answer.status
        return answer.headers["Location"]


idle_since = time.monotonic()
while time.monotonic() - idle_since < float(patience):
    for job in codepipeline.poll_for_jobs(actionTypeId=kind, maxBatchSize=3, queryParam={"ProjectName": project})["jobs"]:
        if "continuationToken" in job["data"]:
            continue
        try:
            taken = codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidNonceException", error
            continue
        if taken["status"] != "InProgress":
            continue
        run = job["data"]["pipelineContext"]["action"]["actionExecutionId"]
        details = {"externalExecutionId": build(run), "summary": "queued"}
        codepipeline.put_job_success_result(jobId=job["id"], executionDetails=details)
        print(run, flush=True)
        idle_since = time.monotonic()
    time.sleep(0.01)
