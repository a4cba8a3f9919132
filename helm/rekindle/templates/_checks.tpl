{{/* Values that contradict each other, in a sentence each, before anything is made. */}}

{{- define "rekindle.hasAdapter" -}}
{{- $wanted := "" -}}
{{- range $model, $_ := .Values.models -}}
{{- if (include "rekindle.model" (dict "root" $ "model" $model) | fromJson).autoscaling.enabled }}{{ $wanted = "true" }}{{ end -}}
{{- end -}}
{{- if eq .Values.autoscaling.provider "bundled" }}{{ $wanted }}{{ end -}}
{{- end -}}

{{- define "rekindle.checkAccess" -}}
{{- with .Values.gateway.access -}}
{{- if and (not .tokensSecret) (not .allowUnprotected) -}}
{{- fail "Nobody could tell who calls the gateways: name a Secret with tokens in gateway.access.tokensSecret (kubectl create secret generic rekindle-tokens --from-file=tokens), or let everyone in with gateway.access.allowUnprotected=true." -}}
{{- else if and .tokensSecret .allowUnprotected -}}
{{- fail "gateway.access.tokensSecret asks for tokens and gateway.access.allowUnprotected lets everyone in: choose one." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gatewayRoute.enabled (not .Values.gatewayRoute.parentRefs) -}}
{{- fail "gatewayRoute.enabled needs gatewayRoute.parentRefs: the Gateway that carries the route, e.g. [{name: main, namespace: gateways}]." -}}
{{- end -}}
{{- end -}}

{{- define "rekindle.checkDatabase" -}}
{{- with .Values.database -}}
{{- if and (not .bundled.enabled) (not .urlSecret.name) -}}
{{- fail "History, runs and schedules need a database: name a Secret with its URL in database.urlSecret.name, or set database.bundled.enabled=true." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rekindle.checkScaling" -}}
{{- $names := dict -}}
{{- range $model, $_ := .Values.models -}}
{{- $values := include "rekindle.model" (dict "root" $ "model" $model) | fromJson -}}
{{- $name := include "rekindle.modelServer" (dict "root" $ "model" $model) -}}
{{- with get $names $name -}}
{{- fail (printf "The models %q and %q would both be called %q in Kubernetes: rename one." . $model $name) -}}
{{- end -}}
{{- $_ := set $names $name $model -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- fail (printf "models.%s: autoscaling.minReplicas (%d) is above maxReplicas (%d)." $model (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (eq $.Values.autoscaling.provider "cpu") (not (dig "requests" "cpu" "" $values.resources)) -}}
{{- fail (printf "autoscaling.provider=cpu counts percents of the CPU request, and models.%s has none: set resources.requests.cpu." $model) -}}
{{- end -}}
{{- end -}}
{{- with .Values.gateway.predict -}}
{{- if and .autoscaling.enabled (gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- fail (printf "gateway.predict.autoscaling.minReplicas (%d) is above maxReplicas (%d)." (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and .autoscaling.enabled (not (dig "requests" "cpu" "" .resources)) -}}
{{- fail "gateway.predict.autoscaling counts percents of the CPU request: set gateway.predict.resources.requests.cpu, or gateway.predict.autoscaling.enabled=false." -}}
{{- end -}}
{{- end -}}
{{- if and (include "rekindle.hasAdapter" .) (not .Values.prometheus.enabled) -}}
{{- fail "autoscaling.provider=bundled reads the chart's Prometheus, and prometheus.enabled is false: enable it, or set autoscaling.provider to existing, keda or cpu." -}}
{{- end -}}
{{- if and (eq .Values.autoscaling.provider "keda") (not .Values.prometheus.enabled) (not .Values.autoscaling.keda.prometheusUrl) -}}
{{- fail "autoscaling.provider=keda needs a Prometheus: set autoscaling.keda.prometheusUrl, or prometheus.enabled=true." -}}
{{- end -}}
{{- end -}}

{{/* There is one provider of external metrics in a cluster. */}}
{{- define "rekindle.checkProvider" -}}
{{- if include "rekindle.hasAdapter" . -}}
{{- $found := "" -}}
{{- if .Values.preflight -}}
{{- with lookup "apiregistration.k8s.io/v1" "APIService" "" "v1beta1.external.metrics.k8s.io" -}}
{{- $by := .metadata.annotations | default dict -}}
{{- if not (and (eq (get $by "meta.helm.sh/release-name") $.Release.Name) (eq (get $by "meta.helm.sh/release-namespace") $.Release.Namespace)) -}}
{{- $found = printf " (the Service %s/%s)" (dig "spec" "service" "namespace" "?" .) (dig "spec" "service" "name" "?" .) -}}
{{- end -}}
{{- end -}}
{{- else if and .Release.IsInstall (.Capabilities.APIVersions.Has "external.metrics.k8s.io/v1beta1") -}}
{{- $found = " " -}}
{{- end -}}
{{- if $found -}}
{{- fail (printf "This cluster has a provider of external metrics already%s, and there can be one only: set autoscaling.provider=existing and give it the rules in docs/kubernetes.md, autoscaling.provider=keda if it is KEDA, or autoscaling.provider=cpu." (trimSuffix " " $found)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* dict root secret key why */}}
{{- define "rekindle.checkSecret" -}}
{{- if and .secret .root.Values.preflight (lookup "v1" "ServiceAccount" .root.Release.Namespace "default") -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- if not $found -}}
{{- fail (printf "%s names the Secret %q, which is not in the namespace %q: create it first." .why .secret .root.Release.Namespace) -}}
{{- else if not (hasKey ($found.data | default dict) .key) -}}
{{- fail (printf "The Secret %q of %s has no key %q; it has: %s." .secret .why .key (keys ($found.data | default dict) | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Disks that one node can mount at a time, by the provisioners that make them. */}}
{{- define "rekindle.checkStorage" -}}
{{- $isOurs := not (and .Values.storage.models.existingClaim .Values.storage.data.existingClaim) -}}
{{- if and .Values.preflight $isOurs (eq .Values.storage.accessMode "ReadWriteMany") -}}
{{- $blocks := list "ebs.csi.aws.com" "kubernetes.io/aws-ebs" "pd.csi.storage.gke.io" "kubernetes.io/gce-pd" "disk.csi.azure.com" "kubernetes.io/azure-disk" "rancher.io/local-path" "k8s.io/minikube-hostpath" "docker.io/hostpath" "csi.hetzner.cloud" "dobs.csi.digitalocean.com" "cinder.csi.openstack.org" -}}
{{- range (lookup "storage.k8s.io/v1" "StorageClass" "" "").items -}}
{{- $isDefault := eq (dig "metadata" "annotations" "storageclass.kubernetes.io/is-default-class" "" .) "true" -}}
{{- $isChosen := ternary (eq .metadata.name $.Values.storage.storageClass) $isDefault (ne $.Values.storage.storageClass "") -}}
{{- if and $isChosen (has .provisioner $blocks) -}}
{{- fail (printf "The StorageClass %q (%s) makes volumes for one node at a time, and storage.accessMode is ReadWriteMany: set storage.accessMode=ReadWriteOnce to run on one node, or storage.storageClass to a class of network file systems." .metadata.name .provisioner) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
