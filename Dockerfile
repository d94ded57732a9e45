# The published package, on the Node that it would bring itself.
FROM node:26.10.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY instrumentation/package.json instrumentation/
RUN npm ci --ignore-scripts
COPY . .
RUN node build.ts

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY instrumentation/package.json instrumentation/
# The image is the runtime, so the one that optionalDependencies bring is left out.
RUN npm ci --ignore-scripts --omit=dev --omit=optional && npm cache clean --force
COPY LICENSE NOTICE ./
COPY bin bin
COPY --from=build /src/dist dist
COPY --from=build /src/instrumentation/dist instrumentation/dist
RUN mkdir /data && chown node:node /data
USER node
ENV DEBUG_DATA_DIR=/data
VOLUME /data
EXPOSE 4317 4318 4319
ENTRYPOINT ["node", "/app/bin/ai-debug.js"]
CMD ["up"]
