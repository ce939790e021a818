#!/bin/sh
echo "$DEPLOYMENT_ID" > "$STAGEWRIGHT_SERVER/var/www/shop/release"
