#cloud-boothook
#!/bin/sh
# Runs at every boot, early.
echo "boot of $INSTANCE_ID" > /dev/kmsg
