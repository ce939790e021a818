# Stagewright from Terraform: CloudFormation deploys the plain template of a release, Terraform gives the values and takes the outputs.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.0" }
  }
}

variable "packages" {
  type        = string
  description = "Bucket with the release's zips and its template.json below stagewright/0.1.0/"
}

resource "aws_cloudformation_stack" "stagewright" {
  name         = "stagewright"
  template_url = "https://${var.packages}.s3.amazonaws.com/stagewright/0.1.0/template.json"
  capabilities = ["CAPABILITY_IAM"]
  parameters = {
    CodeBucket          = var.packages
    CodePrefix          = "stagewright/0.1.0/"
    ActionHttpCheckMode = "invoke"
  }
}

output "check_function" {
  value = aws_cloudformation_stack.stagewright.outputs["ActionHttpCheckName"]
}
