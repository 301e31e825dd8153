# One build, two images: docker build --target api .   docker build --target worker .
# Pin both bases by digest where you build for production: docker buildx imagetools inspect NAME shows it.
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /src
ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 CI=true

# What a restore reads comes first: a change of code leaves this layer and its packages as they are.
COPY global.json Directory.Build.props Directory.Build.targets Directory.Packages.props .editorconfig ./
COPY src/Api/*.csproj src/Api/packages.lock.json src/Api/
COPY src/Bus/*.csproj src/Bus/packages.lock.json src/Bus/
COPY src/Cache/*.csproj src/Cache/packages.lock.json src/Cache/
COPY src/Contracts/*.csproj src/Contracts/packages.lock.json src/Contracts/
COPY src/Hosting/*.csproj src/Hosting/packages.lock.json src/Hosting/
COPY src/Jobs/*.csproj src/Jobs/packages.lock.json src/Jobs/
COPY src/Store/*.csproj src/Store/packages.lock.json src/Store/
COPY src/Worker/*.csproj src/Worker/packages.lock.json src/Worker/
RUN dotnet restore src/Api && dotnet restore src/Worker

COPY LICENSE ./
COPY docs/reference/problems.md docs/reference/
COPY src/ src/
RUN dotnet publish src/Api --no-restore -c Release -o /out/api && dotnet publish src/Worker --no-restore -c Release -o /out/worker

FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS runtime
WORKDIR /app
# The file system may be read-only: nothing is written but to /tmp, and that only by the diagnostics switched off here.
ENV ASPNETCORE_HTTP_PORTS=8080 DOTNET_EnableDiagnostics=0
EXPOSE 8080
USER $APP_UID

FROM runtime AS api
COPY --from=build /out/api ./
ENTRYPOINT ["dotnet", "QueueScale.Api.dll"]

FROM runtime AS worker
COPY --from=build /out/worker ./
ENTRYPOINT ["dotnet", "QueueScale.Worker.dll"]
