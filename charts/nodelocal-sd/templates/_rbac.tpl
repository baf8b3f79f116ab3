{{/* Gives a ClusterRole of the release to an account; takes "root", "name", "role" and "account". */}}
{{- define "nodelocal-sd.binding" -}}
{{- $of_cluster := include "nodelocal-sd.of-cluster" .root -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}{{ $of_cluster }}
  labels:
    {{- include "nodelocal-sd.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .role }}{{ $of_cluster }}
subjects:
- kind: ServiceAccount
  name: {{ .account }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}
