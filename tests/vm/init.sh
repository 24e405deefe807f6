#!/bin/busybox sh
# PID 1 of the test machine: mounts, loads modules, runs one program as root or as a user with a delegated cgroup,
# reports its output and exit status on the second serial line, and turns the machine off.
# /vm/job sets: nonce, run_as (root or user), directory, modules; /vm/command is the program to run.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
box=/bin/busybox

# The root of an initramfs cannot be left by pivot_root, which the jail needs; a bind mount of it can.
if [ "$1" != second ]; then
  $box mkdir -p /newroot
  $box mount --bind / /newroot
  cd /newroot || exit 1
  $box mount --move . /
  exec $box chroot . /bin/busybox sh /vm/init second
fi
cd / || exit 1

. /vm/job
$box mkdir -p /proc /sys /dev /run /tmp
$box mount -t proc -o nosuid,nodev,noexec proc /proc
$box mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
$box mount -t devtmpfs -o nosuid,mode=0755 devtmpfs /dev
$box mkdir -p /dev/pts /dev/shm
$box mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
for place in /dev/shm /run /tmp; do
  # A build tree below /tmp must stay visible; the root of an initramfs is a tmpfs too.
  if [ -z "$($box ls -A $place)" ]; then
    $box mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs $place
  fi
  $box chmod 1777 $place
done
$box mount -t securityfs securityfs /sys/kernel/security
$box mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
$box ln -s /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do
  $box ln -s /proc/self/fd/${stream%:*} /dev/${stream#*:}
done

results=/dev/ttyS1
$box stty -F $results raw -echo
for module in $modules; do
  $box insmod "$module" || echo "init: cannot load $module" > $results
done
$box ifconfig lo 127.0.0.1 up
$box hostname vm

# Each test gets a cgroup of its own whose parent it may divide further, as a service manager delegates it.
delegate() { # DIRECTORY OWNER
  path=/sys/fs/cgroup
  for part in $(echo "$1" | $box tr / ' '); do
    for controller in $($box cat $path/cgroup.controllers); do
      echo "+$controller" > $path/cgroup.subtree_control 2> /dev/null
    done
    path=$path/$part
    $box mkdir $path
  done
  $box mkdir $path/main
  for file in $path $path/cgroup.procs $path/cgroup.subtree_control $path/cgroup.threads \
    $path/main $path/main/cgroup.procs $path/main/cgroup.subtree_control $path/main/cgroup.threads; do
    $box chown "$2" $file
  done
  echo $$ > $path/main/cgroup.procs
}

if [ "$run_as" = root ]; then
  delegate system.slice/test.service root
  export HOME=/root USER=root LOGNAME=root
  cd "$directory" || exit 1
  $box sh /vm/command < /dev/null > $results 2>&1
else
  delegate user.slice/user-1000.slice/test.scope user
  $box mkdir -p /home/user /run/user/1000
  $box chown user:user /home/user /run/user/1000
  $box chmod 0700 /home/user /run/user/1000
  $box chmod 0666 $results
  export XDG_RUNTIME_DIR=/run/user/1000
  cd "$directory" || exit 1
  $box su -s /bin/sh user -c '/bin/busybox sh /vm/command' < /dev/null > $results 2>&1
fi
status=$?
echo
echo "vm-exit $nonce $status" > $results
$box reboot -f
