{{/*
The Pod of an agent: sidecar, Prometheus, config-reloader. Takes "root" and "complement", which is what there is to
choose; manifests/daemonset has the reasons for the rest.
*/}}
{{- define "nodelocal-sd.pod" -}}
{{- $values := .root.Values }}
{{- $agent := include "nodelocal-sd.agent" .root }}
{{- $shadow := include "nodelocal-sd.shadow" .root }}
{{- $resources := $values.resources }}
{{- if .complement }}
{{- $resources = mustMergeOverwrite (deepCopy $resources) (deepCopy $values.complement.resources) }}
{{- end -}}
metadata:
  labels:
    app.kubernetes.io/name: {{ $agent }}{{ if .complement }}-complement{{ end }}
    app.kubernetes.io/component: {{ $agent }}
  annotations:
    kubectl.kubernetes.io/default-container: prometheus
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include (ternary "nodelocal-sd.complement-account" "nodelocal-sd.account" .complement) .root }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- $place := ternary $values.complement $values .complement }}
  {{- with $place.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $place.tolerations }}
  tolerations:
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with and (not .complement) $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 65534
    runAsGroup: 65534
    fsGroup: 65534
    seccompProfile:
      type: RuntimeDefault
  initContainers:
  - name: nodelocal-sd
    image: {{ $values.image.repository }}:{{ $values.image.tag | default .root.Chart.AppVersion }}
    {{- with $values.image.pullPolicy }}
    imagePullPolicy: {{ . }}
    {{- end }}
    restartPolicy: Always
    args:
    - run
    {{- if .complement }}
    - --complement
    - --agents={{ .root.Release.Namespace }}/app.kubernetes.io/name={{ $agent }}
    {{- end }}
    - --config-in=/etc/nodelocal-sd/shadow/prometheus.yaml.gz
    - --config-out=/etc/nodelocal-sd/out/main/prometheus.yaml
    - --state-dir=/var/lib/nodelocal-sd
    {{- if not .complement }}
    {{- if $values.rbac.ownNodeOnly }}
    - --impersonate-node=on
    {{- end }}
    {{- if include "nodelocal-sd.complement-enabled" .root }}
    - --leave-to-complement
    {{- end }}
    {{- end }}
    {{- range concat $values.extraArgs (ternary $values.complement.extraArgs list .complement) }}
    - {{ . | quote }}
    {{- end }}
    env:
    {{- if not .complement }}
    - name: NODE_NAME
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
    {{- end }}
    - name: POD_NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    ports:
    - name: sd-admin
      containerPort: 9912
    # Never /readyz: Prometheus must start without us when we cannot.
    startupProbe:
      httpGet:
        path: /startupz
        port: sd-admin
      periodSeconds: 1
      failureThreshold: 60
    readinessProbe:
      httpGet:
        path: /readyz
        port: sd-admin
    livenessProbe:
      httpGet:
        path: /livez
        port: sd-admin
      failureThreshold: 6
    resources:
      {{- toYaml $resources.sidecar | nindent 6 }}
    securityContext:
      {{- include "nodelocal-sd.restricted" . | nindent 6 }}
    volumeMounts:
    - name: shadow
      mountPath: /etc/nodelocal-sd/shadow
      readOnly: true
    - name: out
      mountPath: /etc/nodelocal-sd/out
    - name: state
      mountPath: /var/lib/nodelocal-sd
  - name: init-config-reloader
    image: &reloader-image {{ $values.configReloader.repository }}:{{ $values.configReloader.version }}
    args:
    - --watch-interval=0
    - --listen-address=:8081
    - --config-file=/etc/nodelocal-sd/out/main/prometheus.yaml
    - --config-envsubst-file=/etc/prometheus/config_out/prometheus.env.yaml
    env: &variables
    - name: NODE_NAME
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    resources: &reloader
      {{- toYaml $resources.configReloader | nindent 6 }}
    securityContext:
      {{- include "nodelocal-sd.restricted" . | nindent 6 }}
    volumeMounts:
    - name: out
      mountPath: /etc/nodelocal-sd/out
      readOnly: true
    - name: config-out
      mountPath: /etc/prometheus/config_out
  containers:
  - name: prometheus
    image: {{ $values.prometheus.repository }}:{{ $values.prometheus.version }}
    args:
    - --config.file=/etc/prometheus/config_out/prometheus.env.yaml
    - --agent
    - --storage.agent.path=/prometheus
    - --web.enable-lifecycle
    ports:
    - name: web
      containerPort: 9090
    startupProbe:
      httpGet:
        path: /-/ready
        port: web
      periodSeconds: 5
      failureThreshold: 60
    readinessProbe:
      httpGet:
        path: /-/ready
        port: web
    livenessProbe:
      httpGet:
        path: /-/healthy
        port: web
      failureThreshold: 6
    resources:
      {{- toYaml $resources.prometheus | nindent 6 }}
    securityContext:
      {{- include "nodelocal-sd.restricted" . | nindent 6 }}
      {{- if and $values.hostPath (not .complement) }}
      # The node's folder belongs to root.
      runAsUser: 0
      runAsGroup: 0
      runAsNonRoot: false
      {{- end }}
    volumeMounts:
    - name: config-out
      mountPath: /etc/prometheus/config_out
      readOnly: true
    - name: certificates
      mountPath: /etc/prometheus/certs
      readOnly: true
    - name: wal
      mountPath: /prometheus
    {{- with $values.prometheus.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  - name: config-reloader
    image: *reloader-image
    args:
    - --listen-address=:8080
    - --watch-interval=30s
    - --reload-url=http://localhost:9090/-/reload
    - --config-file=/etc/nodelocal-sd/out/main/prometheus.yaml
    - --config-envsubst-file=/etc/prometheus/config_out/prometheus.env.yaml
    - --watched-dir=/etc/nodelocal-sd/out/main
    - --watched-dir=/etc/prometheus/certs
    env: *variables
    ports:
    - name: reloader-web
      containerPort: 8080
    resources: *reloader
    securityContext:
      {{- include "nodelocal-sd.restricted" . | nindent 6 }}
    volumeMounts:
    - name: out
      mountPath: /etc/nodelocal-sd/out
      readOnly: true
    - name: config-out
      mountPath: /etc/prometheus/config_out
    - name: certificates
      mountPath: /etc/prometheus/certs
      readOnly: true
  volumes:
  - name: shadow
    secret:
      secretName: prom-agent-{{ $shadow }}
  - name: certificates
    secret:
      secretName: prom-agent-{{ $shadow }}-tls-assets-0
  - name: out
    emptyDir:
      medium: Memory
  - name: config-out
    emptyDir:
      medium: Memory
  - name: state
    emptyDir: {}
  - name: wal
    {{- if and $values.hostPath (not .complement) }}
    hostPath:
      path: {{ $values.hostPath }}
      type: DirectoryOrCreate
    {{- else }}
    emptyDir: {}
    {{- end }}
  {{- with $values.prometheus.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "nodelocal-sd.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
