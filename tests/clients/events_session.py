"""A boto3 session with EventBridge and SNS of `stagewright serve`: rules, targets, buses, tags, patterns, refusals.

events_session.py URL: ends with `ok`. The function `watch` of the engine gets one transformed event.
"""

import json
import sys

from session import client, refused


url = sys.argv[1]
events = client("events", url)
home = "arn:aws:events:eu-west-1:123456789012"


pattern = json.dumps({"source": ["shop"], "detail": {"state": [{"anything-but": "OPEN"}]}})
put = events.put_rule(Name="sold", EventPattern=pattern, Description="sales", Tags=[{"Key": "a", "Value": "1"}])
assert put["RuleArn"] == f"{home}:rule/sold", put
rule = events.describe_rule(Name="sold")
assert (rule["EventPattern"], rule["State"], rule["EventBusName"]) == (pattern, "ENABLED", "default"), rule
assert events.list_tags_for_resource(ResourceARN=put["RuleArn"])["Tags"] == [{"Key": "a", "Value": "1"}]
events.tag_resource(ResourceARN=put["RuleArn"], Tags=[{"Key": "b", "Value": "2"}])
events.untag_resource(ResourceARN=put["RuleArn"], TagKeys=["a"])
assert events.list_tags_for_resource(ResourceARN=put["RuleArn"])["Tags"] == [{"Key": "b", "Value": "2"}]

watch = "arn:aws:lambda:eu-west-1:123456789012:function:watch"
target = {
    "Id": "watch",
    "Arn": watch,
    "InputTransformer": {
        "InputPathsMap": {"what": "$.detail-type", "n": "$.detail.n"},
        "InputTemplate": '{"what": <what>, "count": <n>}',
    },
}
assert events.put_targets(Rule="sold", Targets=[target])["FailedEntryCount"] == 0
assert events.list_targets_by_rule(Rule="sold")["Targets"] == [target]
assert events.list_rule_names_by_target(TargetArn=watch)["RuleNames"] == ["sold"]

events.disable_rule(Name="sold")
sale = {"Source": "shop", "DetailType": "Sold", "Detail": json.dumps({"n": 3, "state": "DONE"})}
unheard = dict(sale, Detail=json.dumps({"n": 1, "state": "DONE"}))
assert events.put_events(Entries=[unheard])["FailedEntryCount"] == 0
events.enable_rule(Name="sold")
answer = events.put_events(
    Entries=[
        sale,
        {"Source": "shop", "DetailType": "Sold"},
        dict(sale, Detail="{"),
        dict(sale, Source="aws.codepipeline"),
        dict(sale, EventBusName="gone"),
    ]
)
codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
assert codes == [None, "InvalidArgument", "MalformedDetail", "NotAuthorizedForSourceException", "ResourceNotFoundException"], codes
assert answer["FailedEntryCount"] == 4, answer

event = {
    "id": "1", "account": "1", "source": "shop", "time": "2026-01-02T03:04:05Z", "region": "eu-west-1",
    "resources": [], "detail-type": "Sold", "detail": {"state": "OPEN"},
}
assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is False
event["detail"]["state"] = "DONE"
assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is True

bus = events.create_event_bus(Name="mine", Description="own")["EventBusArn"]
assert bus == f"{home}:event-bus/mine", bus
events.put_rule(Name="m", EventBusName=bus, EventPattern=pattern)
assert events.describe_rule(Name="m", EventBusName="mine")["Arn"] == f"{home}:rule/mine/m"
assert [b["Name"] for b in events.list_event_buses()["EventBuses"]] == ["default", "mine"]
assert events.describe_event_bus()["Arn"] == f"{home}:event-bus/default"

for n in range(5):
    events.put_rule(Name=f"page-{n}", ScheduleExpression="rate(1 day)", State="DISABLED")
names, token = [], {}
while True:
    page = events.list_rules(NamePrefix="page-", Limit=2, **token)
    names += [rule["Name"] for rule in page["Rules"]]
    if "NextToken" not in page:
        break
    token = {"NextToken": page["NextToken"]}
assert names == [f"page-{n}" for n in range(5)], names

assert "Event pattern is not valid. Reason: " in refused("InvalidEventPatternException", events.put_rule, Name="x", EventPattern="{}")
assert "Parameter(s) EventPattern or ScheduleExpression" in refused("ValidationException", events.put_rule, Name="x")
assert "at 'name' failed to satisfy constraint" in refused("ValidationException", events.put_rule, Name="x y", EventPattern=pattern)
assert "Rule gone does not exist on EventBus default." in refused("ResourceNotFoundException", events.describe_rule, Name="gone")
assert "Event bus gone does not exist." in refused("ResourceNotFoundException", events.list_rules, EventBusName="gone")
assert "Rule can't be deleted since it has targets." in refused("ValidationException", events.delete_rule, Name="sold")
assert "Event bus can't be deleted since it has rules." in refused("ValidationException", events.delete_event_bus, Name="mine")
assert "ListArchives" in refused("UnknownOperationException", events.list_archives)
assert "targets of logs" in refused(
    "UnknownOperationException", events.put_targets, Rule="sold",
    Targets=[{"Id": "l", "Arn": "arn:aws:logs:eu-west-1:123456789012:log-group:g"}],
)
assert "ScheduleExpression is not valid" in refused("ValidationException", events.put_rule, Name="x", ScheduleExpression="cron(0 12 * * *)")
events.put_rule(Name="noon", ScheduleExpression="cron(0 12 * * ? *)")
events.delete_rule(Name="noon")

events.delete_rule(Name="m", EventBusName="mine")
events.delete_event_bus(Name="mine")
events.remove_targets(Rule="page-0", Ids=["none"])
events.delete_rule(Name="page-0")
print("ok")
