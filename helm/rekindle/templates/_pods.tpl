{{/* What pods have in common: security, network, where they may run. */}}

{{- define "rekindle.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user | default 65532 }}
runAsGroup: {{ .user | default 65532 }}
fsGroup: {{ .user | default 65532 }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "rekindle.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The part of a pod spec that people choose: dict root pod component [model topologySpread storage]. */}}
{{- define "rekindle.placement" -}}
enableServiceLinks: false
{{- include "rekindle.pullSecrets" .root }}
{{- with .pod.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .pod.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- $affinity := deepCopy (.pod.affinity | default dict) }}
{{- if and .storage (eq .root.Values.storage.accessMode "ReadWriteOnce") }}
{{- $together := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (dict "app.kubernetes.io/instance" .root.Release.Name "rekindle/volumes" "shared")) }}
{{- $pods := get $affinity "podAffinity" | default dict }}
{{- $rules := append (get $pods "requiredDuringSchedulingIgnoredDuringExecution" | default list) $together }}
{{- $_ := set $affinity "podAffinity" (mustMergeOverwrite $pods (dict "requiredDuringSchedulingIgnoredDuringExecution" $rules)) }}
{{- end }}
{{- with $affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- if .topologySpread }}
topologySpreadConstraints:
  {{- range .topologySpread }}
  - {{ toYaml . | nindent 4 | trim }}
    labelSelector:
      matchLabels: {{ include "rekindle.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Environment of every container of ours: proxies, certificates, and what people add. dict root pod */}}
{{- define "rekindle.env" -}}
{{- with .root.Values.network }}
{{- if .caBundle.configMap }}
- {name: SSL_CERT_FILE, value: /etc/rekindle/ca/ca.crt}
- {name: REQUESTS_CA_BUNDLE, value: /etc/rekindle/ca/ca.crt}
{{- end }}
{{- if .httpProxy }}
- {name: HTTP_PROXY, value: {{ .httpProxy | quote }}}
- {name: http_proxy, value: {{ .httpProxy | quote }}}
{{- end }}
{{- if .httpsProxy }}
- {name: HTTPS_PROXY, value: {{ .httpsProxy | quote }}}
- {name: https_proxy, value: {{ .httpsProxy | quote }}}
{{- end }}
{{- if or .httpProxy .httpsProxy }}
{{- $direct := printf "localhost,127.0.0.1,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST)%s" (ternary (printf ",%s" .noProxy) "" (ne .noProxy "")) }}
- {name: NO_PROXY, value: {{ $direct | quote }}}
- {name: no_proxy, value: {{ $direct | quote }}}
{{- end }}
{{- end }}
{{- with .pod.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "rekindle.mounts" -}}
{{- if .root.Values.network.caBundle.configMap }}
- {name: ca, mountPath: /etc/rekindle/ca, readOnly: true}
{{- end }}
{{- with .pod.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "rekindle.volumes" -}}
{{- with .root.Values.network.caBundle }}
{{- if .configMap }}
- name: ca
  configMap:
    name: {{ .configMap }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- with .pod.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The service account's token, in the one container that speaks with the API. */}}
{{- define "rekindle.tokenVolume" -}}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end -}}

{{- define "rekindle.tokenMount" -}}
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}

{{/* A CPU quantity in whole cores, rounded up. */}}
{{- define "rekindle.cores" -}}
{{- $cpu := . | toString -}}
{{- if hasSuffix "m" $cpu -}}
{{- max 1 (ceil (divf (trimSuffix "m" $cpu | float64) 1000)) | int -}}
{{- else -}}
{{- max 1 (ceil (float64 $cpu)) | int -}}
{{- end -}}
{{- end -}}
