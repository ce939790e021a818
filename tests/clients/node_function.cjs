// A pipeline action in Node: AWS's own runtime client runs it, the SDK for JavaScript reports.

const {
  CodePipelineClient,
  GetJobDetailsCommand,
  PutJobFailureResultCommand,
  PutJobSuccessResultCommand,
} = require("@aws-sdk/client-codepipeline");
const { GetObjectCommand, S3Client } = require("@aws-sdk/client-s3");

// the names in a zip archive's central directory
function names(bytes) {
  const found = [];
  let at = bytes.indexOf("PK\x01\x02", 0, "latin1");
  while (at >= 0) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
    found.push(bytes.toString("utf8", at + 46, at + 46 + name));
    at = bytes.indexOf("PK\x01\x02", at + 46 + name + extra + comment, "latin1");
  }
  return found.sort().join(",");
}

exports.handler = async (event, context) => {
  const { id, data } = event["CodePipeline.job"];
  const wanted = data.actionConfiguration.configuration.UserParameters;
  if (wanted === "raise") throw new RangeError("the dice fell badly");
  if (context.functionName !== "node-action") throw new Error(`called ${context.functionName}`);
  if (!context.awsRequestId || !(context.getRemainingTimeInMillis() > 0)) throw new Error("no time");
  const codepipeline = new CodePipelineClient();
  const success = (more) => codepipeline.send(new PutJobSuccessResultCommand({ jobId: id, ...more }));
  if (wanted === "list") {
    const { bucketName, objectKey } = data.inputArtifacts[0].location.s3Location;
    const s3 = new S3Client({ credentials: data.artifactCredentials });
    const object = await s3.send(new GetObjectCommand({ Bucket: bucketName, Key: objectKey }));
    const listed = names(Buffer.from(await object.Body.transformToByteArray()));
    console.log("the artifact holds", listed);
    await success({ outputVariables: { Names: listed } });
  } else if (wanted === "rule") {
    const { jobDetails } = await codepipeline.send(new GetJobDetailsCommand({ jobId: id }));
    const { stage, action } = jobDetails.data.pipelineContext;
    console.log("asked by", stage.name, action.name, data.continuationToken ?? "first");
    if (data.continuationToken) {
      await success({ executionDetails: { summary: "all tables are there" } });
    } else {
      await success({ continuationToken: "again" });
    }
  } else if (wanted === "got index.html,style.css") {
    await success({});
  } else {
    const failureDetails = { type: "JobFailed", message: `unexpected ${wanted}` };
    await codepipeline.send(new PutJobFailureResultCommand({ jobId: id, failureDetails }));
  }
  return { ok: true };
};
