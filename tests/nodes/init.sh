# The first process of a node, in namespaces of its own for network, mounts, pids and host name: when it ends, so do
# kubelet, containerd, all containers and all mounts. Its paths are those of a real node.
#
#   bash init.sh NAME INDEX     with RUN, FOLDER, IMAGES, KUBELET and CA in the environment
#
# NODE/hold: while this file is there, the kubelet is not started again.
set -eu
name=$1 index=$2 node=$FOLDER/$1
hostname "$name"
mount --make-rprivate /
mount --make-rshared /
mount -n -t tmpfs -o mode=755 tmpfs /run # first: mount itself writes there
mkdir -p "$node/lib" "$node/log"
mount --bind "$node/lib" /var/lib
mount --bind "$node/log" /var/log
mkdir -p /run/netns /run/cni /run/lock /run/sys /var/lib/kubelet

# The kubelet sets these for the whole machine. Here it sets files.
for parameter in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
    kernel/keys/root_maxbytes; do
    file=/run/sys/${parameter//\//.}
    cat "/proc/sys/$parameter" >"$file"
    mount --bind "$file" "/proc/sys/$parameter"
done

# All nodes share a kernel, and with it the id of its boot. This node gets one of its own, another one with each start,
# and so does each of its containers, by a hook: the path is not among those that runc mounts something on.
cat /proc/sys/kernel/random/uuid >/run/boot-id
mount --bind /run/boot-id /proc/sys/kernel/random/boot_id

until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done # it is moved in here
ip link set lo up
ip link set eth0 up
ip addr add "10.200.0.1$index/24" dev eth0
ip addr add "fd00:200::1$index/64" dev eth0 nodad
ip route add default via 10.200.0.1
for other in 1 2 3; do
    [ "$other" = "$index" ] && continue
    ip route add "10.244.$other.0/24" via "10.200.0.1$other"
    ip -6 route add "fd00:244:$other::/64" via "fd00:200::1$other"
done
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding

cat >/run/cni/10-pods.conflist <<X
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.$index.0/24"}], [{"subnet": "fd00:244:$index::/64"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
X
# Without restrict_oom_score_adj no Pod starts where the capability CAP_SYS_RESOURCE is missing.
cat >/run/containerd.toml <<X
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "test.local/pause:1"
  restrict_oom_score_adj = true
  cni = {bin_dir = "/usr/lib/cni", conf_dir = "/run/cni"}
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = "/run/spec.json"
X
mount='{"path": "/usr/bin/mount", "args": ["mount", "-n", "--bind", "/run/boot-id", "proc/sys/kernel/random/boot_id"]}'
ctr oci spec | sed "1s|^{|{\"hooks\": {\"createContainer\": [$mount]},|" >/run/spec.json
cat >/run/kubelet.yaml <<X
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 10.200.0.1$index
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$RUN-$name
failCgroupV1: false
failSwapOn: false
volumePluginDir: /var/lib/kubelet/plugins
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $CA}}
authorization: {mode: Webhook}
resolvConf: ""
syncFrequency: 5s
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 0%, imagefs.available: 0%, nodefs.inodesFree: 0%, imagefs.inodesFree: 0%}
X
cat >/run/kubeconfig <<X
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://10.96.0.1", certificate-authority: "$CA"}}]
users: [{name: u, user: {token: "kubelet-of-$name"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
X
containerd -c /run/containerd.toml >>"$node/containerd.log" 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.1; done
if [ ! -e "$node/imported" ]; then # its disk outlives it
    for image in "$IMAGES"/*.tar; do ctr -n k8s.io images import "$image" >/dev/null; done
    touch "$node/imported"
fi
while :; do
    while [ -e "$node/hold" ]; do sleep 0.1; done
    "$KUBELET" --config /run/kubelet.yaml --kubeconfig /run/kubeconfig --hostname-override "$name" \
        --node-ip "10.200.0.1$index,fd00:200::1$index" --v=2 >>"$node/kubelet.log" 2>&1 &
    echo $! >"$node/kubelet.pid"
    wait $! || true
    sleep 0.2
done
