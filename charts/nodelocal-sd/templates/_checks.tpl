{{/* What values.schema.json cannot say, or not as clearly. */}}
{{- define "nodelocal-sd.checks" -}}
{{- if not .Values.image.repository }}
{{- fail "image.repository is required: build image/Dockerfile, push it to where your nodes pull from, and name it, as in --set image.repository=REGISTRY/nodelocal-sd,image.tag=TAG" }}
{{- end }}
{{- if not .Values.remoteWrite }}
{{- fail "remoteWrite is required: say where the agents send their samples, as in --set remoteWrite[0].url=https://receiver.example/api/v1/write" }}
{{- end }}
{{- $own := dict "version" "prometheus.version" "remoteWrite" "remoteWrite" "externalLabels" "externalLabels"
  "arbitraryFSAccessThroughSMs" "monitors.denyFileAccess" }}
{{- range $kind := list "serviceMonitor" "podMonitor" "probe" "scrapeConfig" }}
{{- range $name := list (printf "%sSelector" $kind) (printf "%sNamespaceSelector" $kind) }}
{{- $_ := set $own $name (printf "monitors.%s" $name) }}
{{- end }}
{{- end }}
{{- range $field := keys .Values.shadowSpec | sortAlpha }}
{{- with get $own $field }}
{{- fail (printf "shadowSpec.%s: that is the value %s" $field .) }}
{{- end }}
{{- if has $field (list "mode" "replicas" "shards" "serviceDiscoveryRole" "replicaExternalLabelName") }}
{{- fail (printf "shadowSpec.%s: the agents need it as the chart has it; remove it" $field) }}
{{- end }}
{{- end }}
{{- if .Values.rbac.ownNodeOnly }}
{{- if semverCompare "<1.36.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "rbac.ownNodeOnly needs Kubernetes 1.36, and this is %s; helm template takes another one with --kube-version" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- end }}
{{- range concat .Values.extraArgs .Values.complement.extraArgs }}
{{- $flag := regexFind "^--[a-z-]+" . }}
{{- if has $flag (list "--agents" "--complement" "--config-in" "--config-out" "--leave-to-complement" "--node-name" "--state-dir") }}
{{- fail (printf "extraArgs: %s: the agents have %s as the chart sets it; remove it" . $flag) }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if hasPrefix "--agent-delay" . }}
{{- fail (printf "extraArgs: %s is for the complement only; set it in complement.extraArgs" .) }}
{{- end }}
{{- end }}
{{- if include "nodelocal-sd.complement-enabled" . }}
{{- range .Values.extraArgs }}
{{- if hasPrefix "--impersonate-node" . }}
{{- fail (printf "extraArgs: %s is not for the complement, which has the same arguments; set rbac.ownNodeOnly instead" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
