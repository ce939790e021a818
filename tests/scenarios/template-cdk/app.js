// npm install aws-cdk-lib@2.276.0 constructs, then: node app.js
const cdk = require('aws-cdk-lib');
const { pipelines, aws_codecommit: codecommit, aws_s3: s3 } = cdk;

const app = new cdk.App({ outdir: 'cdk.out', analyticsReporting: false });
const env = { account: '123456789012', region: 'eu-west-1' };

class Shop extends cdk.Stage {
  constructor(scope, id, props) {
    super(scope, id, props);
    new s3.Bucket(new cdk.Stack(this, 'Site'), 'Files');
  }
}

const stack = new cdk.Stack(app, 'Release', { env });
const repository = new codecommit.Repository(stack, 'Repo', { repositoryName: 'shop' });
const pipeline = new pipelines.CodePipeline(stack, 'Pipeline', {
  pipelineName: 'release',
  selfMutation: false,
  synth: new pipelines.ShellStep('Synth', {
    input: pipelines.CodePipelineSource.codeCommit(repository, 'main'),
    // the source holds what a synthesis made
    commands: ['cp -r synthesized cdk.out', 'echo synthesized'],
  }),
});
pipeline.addStage(new Shop(app, 'Live', { env }));
app.synth();
