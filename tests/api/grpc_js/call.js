// One call by Node's gRPC, over TLS, with a bearer token: its answers or its refusal, as JSON.
//
// Arguments: the address, a file with the CA, the folder of the contract, the method, the request.
// The token is on standard input; empty for none. A watch ends once it has caught up.

const fs = require("node:fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, ca, contract, method, request] = process.argv.slice(2);
const [service, name] = method.split("/");
const token = fs.readFileSync(0, "utf8").trim();

const definition = loader.loadSync(`ledger/v1/${snake(service)}.proto`, {
  includeDirs: [contract],
  longs: String,
  enums: String,
});
const { [service]: Client } = grpc.loadPackageDefinition(definition).ledger.v1;
const client = new Client(address, credentials());
const sent = [JSON.parse(request), new grpc.Metadata(), { deadline: Date.now() + 60_000 }];
if (Client.service[name].responseStream) {
  const answers = [];
  const watch = client[name](...sent);
  watch.on("error", (error) => end(refused(error)));
  watch.on("data", (answer) => {
    answers.push(answer);
    if (answer.caughtUp) end({ answers });
  });
} else {
  client[name](...sent, (error, answer) => end(error ? refused(error) : { answers: [answer] }));
}

function snake(words) {
  return words.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
}

function credentials() {
  const secure = grpc.credentials.createSsl(fs.readFileSync(ca));
  if (!token) return secure;
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    done(null, metadata);
  });
  return grpc.credentials.combineChannelCredentials(secure, bearer);
}

function refused(error) {
  const details = error.metadata.get("grpc-status-details-bin").map((one) => one.toString("base64"));
  return { code: grpc.status[error.code], said: error.details, details };
}

function end(found) {
  process.stdout.write(JSON.stringify(found));
  process.exit(0);
}
