{{/* Init containers and sidecars between an object store and a volume. */}}

{{/* One of them: dict root name args volume mountPath [readOnly] [stays]. A sidecar that stays is an init container
     that restarts: it runs beside the others, and ends after them. */}}
{{- define "rekindle.mirror" -}}
{{- $store := .root.Values.objectStore -}}
- name: {{ .name }}
  image: {{ include "rekindle.image" (dict "root" .root "image" "mirror") }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  {{- if .stays }}
  restartPolicy: Always
  {{- end }}
  args:
    {{- range .args }}
    - {{ . | quote }}
    {{- end }}
    {{- if .stays }}
    - --every={{ $store.pollSeconds }}
    {{- end }}
  {{- with $store.credentialsSecret }}
  envFrom: [{secretRef: {name: {{ . }}}}]
  {{- end }}
  {{- $env := printf "%s\n%s" (include "rekindle.env" (dict "root" .root "pod" dict)) (ternary (toYaml $store.env) "" (not (empty $store.env))) | trim }}
  {{- with $env }}
  env: {{ . | nindent 4 }}
  {{- end }}
  resources: {{ toYaml $store.resources | nindent 4 }}
  securityContext: {{ include "rekindle.containerSecurity" dict | nindent 4 }}
  volumeMounts:
    - {name: {{ .volume }}, mountPath: {{ .mountPath }}{{ if .readOnly }}, readOnly: true{{ end }}}
    - {name: tmp, mountPath: /tmp}
    {{- include "rekindle.mounts" (dict "root" .root "pod" dict) | nindent 4 }}
{{- end -}}

{{/* A model server's: its folder is filled before anything else, and kept up to date. */}}
{{- define "rekindle.mirrorsOfModelServer" -}}
{{- with .Values.objectStore.models }}
{{- $args := list "pull" "models" . "/models" "--named-only" }}
{{- $common := dict "root" $ "args" $args "volume" "models" "mountPath" "/models" }}
{{ include "rekindle.mirror" (merge (dict "name" "fetch-models") $common) }}
{{ include "rekindle.mirror" (merge (dict "name" "mirror-models" "stays" true) $common) }}
{{- end }}
{{- end -}}

{{/* The control gateway's: volumes that were lost are filled again; what is published and uploaded is sent. */}}
{{- define "rekindle.mirrorsOfControl" -}}
{{- range $what, $place := dict "models" (list "/models" "/models") "data" (list "/data" "/data/datasets") }}
{{- with get $.Values.objectStore $what }}
{{- $common := dict "root" $ "volume" $what "mountPath" (index $place 0) }}
{{ include "rekindle.mirror" (merge (dict "name" (printf "restore-%s" $what) "args" (list "pull" $what . (index $place 1) "--if-empty")) $common) }}
{{ include "rekindle.mirror" (merge (dict "name" (printf "send-%s" $what) "args" (list "push" $what (index $place 1) .) "readOnly" true "stays" true) $common) }}
{{- end }}
{{- end }}
{{- end -}}
