# The image of `vireo controller` and `vireo standalone`: the built program on Node, and OpenSSH's client for qemu+ssh.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npm ci --no-audit --no-fund && npm run build

FROM node:24-bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 vireo && useradd --uid 65532 --gid vireo --home-dir /home/vireo --create-home vireo && install -d -o vireo -m 0700 /data
COPY --from=build /src/dist /usr/lib/vireo
COPY manifests/standalone/entrypoint.sh /usr/bin/vireo-standalone
RUN ln -s /usr/lib/vireo/vireo.js /usr/bin/vireo && chmod 0755 /usr/bin/vireo-standalone
USER 65532
VOLUME /data
ENTRYPOINT ["vireo"]
CMD ["controller"]
