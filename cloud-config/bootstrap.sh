#!/bin/sh
# A script alone is user-data too: it runs once, as root, when everything else of the boot is done.
#
# This one installs Chef and git, fetches cookbooks and has chef-solo set the instance up. What it says is in
# /var/log/bootstrap.log; expected at the end of it: `bootstrapped`.
set -eu
exec >>/var/log/bootstrap.log 2>&1
export DEBIAN_FRONTEND=noninteractive HOME=/root
cookbooks=https://git.example.org/cookbooks.git

apt-get update
apt-get install -y git chef
git clone "$cookbooks" /var/chef/cookbooks
chef-solo --config /var/chef/cookbooks/solo.rb --override-runlist 'recipe[base]'
echo bootstrapped
