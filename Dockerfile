# hubrec as a container, for an IoT Edge module or beside an application.
# The ring lies in /var/lib/hubrec: mount a volume there, or the evidence goes with the container.

FROM node:20-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY transports transports
COPY agent agent
RUN npx tsc --project tsconfig.json && npm run -s build:page && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
ENV NODE_ENV=production HUBREC_STATE_DIR=/var/lib/hubrec
WORKDIR /opt/hubrec
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build --chmod=0755 /build/dist dist
RUN ln -s /opt/hubrec/dist/agent/cli/main.js /usr/local/bin/hubrec && install -d -o 65532 -g 65532 -m 0750 /var/lib/hubrec
USER 65532:65532
VOLUME /var/lib/hubrec
# SIGTERM ends it within 5 s with everything written.
STOPSIGNAL SIGTERM
ENTRYPOINT ["hubrec", "run"]
