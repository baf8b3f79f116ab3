{{/* Which monitors of a kind are selected; takes "root" and "kind". */}}
{{- define "nodelocal-sd.selector" -}}
{{- $monitors := .root.Values.monitors }}
{{- $selector := get $monitors (printf "%sSelector" .kind) }}
{{- if kindIs "map" $selector }}
{{- $selector = deepCopy $selector }}
{{- else if .root.Values.kubePrometheusStack.release }}
{{- $selector = dict "matchLabels" (dict "release" .root.Values.kubePrometheusStack.release) }}
{{- else }}
{{- $selector = dict }}
{{- end }}
{{- if and $monitors.withoutCredentials (has .kind (list "serviceMonitor" "podMonitor")) }}
{{- $left := dict "key" "monitoring.nodelocal-sd/credentials" "operator" "DoesNotExist" }}
{{- $_ := set $selector "matchExpressions" (append ($selector.matchExpressions | default list) $left) }}
{{- end }}
{{- toJson $selector }}
{{- end }}
