# The service without embedded servers: PostgreSQL and NATS are named by SMSLEDGER_POSTGRES_URL and SMSLEDGER_NATS_URL.
FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Dependencies first: they change less often than the code.
COPY requirements-server.lock requirements-build.lock ./
RUN python -m venv /opt/smsledger \
    && /opt/smsledger/bin/pip install --require-hashes --no-deps -r requirements-server.lock \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --no-deps -r requirements-build.lock
COPY . .
RUN /opt/build/bin/python -m hatchling build -t wheel -d /tmp/dist \
    && /opt/smsledger/bin/pip install --no-deps /tmp/dist/*.whl

FROM python:3.13-slim
# The data folder is the simulator's; a volume mounted there takes over its owner.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin smsledger \
    && install -d -o smsledger -m 0700 /var/lib/smsledger
COPY --from=build /opt/smsledger /opt/smsledger
ENV PATH=/opt/smsledger/bin:$PATH PYTHONUNBUFFERED=1 SMSLEDGER_DATA_DIR=/var/lib/smsledger
USER 10001
EXPOSE 8080
ENTRYPOINT ["smsledger"]
CMD ["api", "--host", "0.0.0.0", "--port", "8080"]
