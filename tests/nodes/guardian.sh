# Cleans up after a run, whichever way it ends: it waits until the run's end of the pipe is closed, which the kernel
# does also for one that was killed. All processes, mounts and links have then gone with the run's namespaces; what is
# left are the cgroups of its nodes, which belong to nobody, and its folder.
#
#   sh guardian.sh RUN FOLDER
run=$1 folder=$2
cat >/dev/null
for attempt in $(seq 300); do
    groups=$(find /sys/fs/cgroup -mindepth 2 -maxdepth 2 -name "$run-*")
    [ -n "$groups" ] || break
    for processes in $(find $groups -name cgroup.procs); do # dying ones keep a group busy for a moment
        for process in $(cat "$processes" 2>/dev/null); do kill -9 "$process" 2>/dev/null; done
    done
    find $groups -depth -type d -exec rmdir {} \; 2>/dev/null
    sleep 0.1
done
rm -rf "$folder"
