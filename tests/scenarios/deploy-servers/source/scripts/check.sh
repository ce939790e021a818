#!/bin/sh
grep -q shop "$STAGEWRIGHT_SERVER/var/www/shop/index.html"
