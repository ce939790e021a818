// Stagewright in a CDK application: the plain template of a release, with the application's own values.
// node cdk.js template.json (npm: aws-cdk-lib, constructs); `cdk deploy --app 'node cdk.js template.json'` deploys it.
const { App, Stack, CfnOutput } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');

const app = new App({ outdir: process.env.CDK_OUTDIR });
const stack = new Stack(app, 'stagewright');
const included = new CfnInclude(stack, 'Functions', {
  templateFile: process.argv[2],
  preserveLogicalIds: true,
  parameters: { CodeBucket: 'my-packages', CodePrefix: 'stagewright/0.1.0/', ActionHttpCheckMode: 'invoke' },
});
// What it made is at hand as constructs.
new CfnOutput(stack, 'CheckFunction', { value: included.getResource('ActionHttpCheck').ref });
app.synth();
