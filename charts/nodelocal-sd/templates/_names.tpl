{{/* The names of the manifests, which nameSuffix tells apart within a namespace. */}}
{{- define "nodelocal-sd.agent" -}}node-agent{{ .Values.nameSuffix }}{{- end }}
{{- define "nodelocal-sd.shadow" -}}node-shadow{{ .Values.nameSuffix }}{{- end }}
{{- define "nodelocal-sd.account" -}}nodelocal-sd{{ .Values.nameSuffix }}{{- end }}

{{/*
What is appended to names of the whole cluster: two namespaces must not share one. Neither a namespace nor a suffix has
a dot, so no two are the same.
*/}}
{{- define "nodelocal-sd.of-cluster" -}}
{{ .Values.nameSuffix }}{{ if ne .Release.Namespace "monitoring" }}.{{ .Release.Namespace }}{{ end }}
{{- end }}

{{- define "nodelocal-sd.complement-enabled" -}}
{{ if or .Values.complement.enabled .Values.kubePrometheusStack.release }}true{{ end }}
{{- end }}

{{/* The account of the complement, which reads Pods and Nodes of the whole cluster. */}}
{{- define "nodelocal-sd.complement-account" -}}
{{ include "nodelocal-sd.account" . }}{{ if .Values.rbac.ownNodeOnly }}-complement{{ end }}
{{- end }}

{{/* Labels of every object. Not of Pods: a new version of the chart alone restarts none. */}}
{{- define "nodelocal-sd.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Those of what somebody else has to select. */}}
{{- define "nodelocal-sd.selected-labels" -}}
{{- include "nodelocal-sd.labels" . }}
{{- $labels := dict }}
{{- with .Values.kubePrometheusStack.release }}{{ $_ := set $labels "release" . }}{{ end }}
{{- with merge (deepCopy .Values.monitoring.labels) $labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
