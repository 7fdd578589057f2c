#!/bin/sh
# Runs once, last, as root, with a bare environment: no HOME, no login shell.
set -eu
install -d -m 0755 /var/www/html
echo "$(hostname) is up" > /var/www/html/index.html
