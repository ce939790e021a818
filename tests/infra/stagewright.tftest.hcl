# The Terraform example, planned and applied with a played AWS.
mock_provider "aws" {
  mock_resource "aws_cloudformation_stack" {
    defaults = { outputs = { ActionHttpCheckName = "stagewright-action-http-check" } }
  }
}

variables {
  packages = "our-packages"
}

run "the_stack_takes_the_release" {
  command = apply

  assert {
    condition     = aws_cloudformation_stack.stagewright.template_url == "https://our-packages.s3.amazonaws.com/stagewright/0.1.0/template.json"
    error_message = "the template is not the release's"
  }
  assert {
    condition     = aws_cloudformation_stack.stagewright.parameters["CodeBucket"] == "our-packages"
    error_message = "the zips come from elsewhere"
  }
  assert {
    condition     = output.check_function == "stagewright-action-http-check"
    error_message = "the function's name does not come out"
  }
}
