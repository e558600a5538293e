# GPU host (NVIDIA, with its container toolkit, which brings the driver and its Vulkan ICD along):
#   docker build -t blockdiffusion .
#   docker run --gpus all -p 8000:8000 blockdiffusion
#
# Without a GPU, on Mesa's software Vulkan:
#   docker build -t blockdiffusion:software --build-arg SOFTWARE=1 .
#
# Settings come as BD_* variables or as flags after the image's name; own models are mounted under
# /models, key files under /run/secrets. Drivers keep compiled kernels in /shader-cache: on a volume
# they outlive the container, and the next start takes a fifth of the time.
FROM denoland/deno:bin-2.9.6 AS deno

FROM debian:bookworm-slim
# Mesa only where it is asked for: beside a GPU it is one more adapter to pick by mistake.
ARG SOFTWARE=
# NVIDIA's Vulkan driver links libX11, libXext and libEGL even where nothing is drawn: without them
# it gives no adapter.
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    libvulkan1 libx11-6 libxext6 libegl1 ${SOFTWARE:+mesa-vulkan-drivers} \
  && rm -rf /var/lib/apt/lists/*
COPY --from=deno /deno /usr/local/bin/deno

RUN useradd --create-home --uid 10001 blockdiffusion \
  && mkdir -p /app /deno-dir /models /run/secrets /shader-cache \
  && chown blockdiffusion /deno-dir /shader-cache
ENV DENO_DIR=/deno-dir \
  DENO_NO_UPDATE_CHECK=1 \
  DENO_WEBGPU_BACKEND=vulkan \
  XDG_RUNTIME_DIR=/tmp \
  MESA_SHADER_CACHE_DIR=/shader-cache \
  __GL_SHADER_DISK_CACHE_PATH=/shader-cache \
  NVIDIA_VISIBLE_DEVICES=all \
  NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics \
  BD_HOST=0.0.0.0
USER blockdiffusion
WORKDIR /app

COPY . .
# Fetches what these files import. `deno install` would fetch the packages of the tests too.
RUN deno cache --frozen main.ts src/commands/engine_worker.ts

EXPOSE 8000
# The model is loaded once /ready says so; /health says that the process answers.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["deno", "eval", "Deno.exit((await fetch('http://127.0.0.1:8000/health')).ok ? 0 : 1)"]
ENTRYPOINT ["deno", "run", "--no-prompt", "--frozen", "--cached-only", \
  "--allow-net=0.0.0.0:8000", "--allow-read=/app/src,/app/kernels,/app/models,/models,/run/secrets", \
  "--allow-env=BD_*", "main.ts", "serve"]
