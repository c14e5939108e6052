// Writes what the fuzzers begin with, right and nearly right: usage: fuzz_seeds FOLDER SOURCE

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/core.h>

#include "core/bundle/hand_made_tar.h"
#include "core/bundle/manifest.h"
#include "core/exec_frame.h"
#include "core/files/files.h"
#include "core/patch/binary_diff.h"
#include "core/patch/frame.h"
#include "core/patch/script.h"
#include "core/trust/keyring.h"
#include "core/trust/role_document.h"

#include <zstd.h>

namespace {

using namespace berth;
namespace fs = std::filesystem;

class Seeds {
 public:
  explicit Seeds(fs::path folder) : folder_(std::move(folder)) {}
  void add(const std::string& fuzzer, const std::string& bytes) {
    fs::create_directories(folder_ / fuzzer);
    std::ofstream(folder_ / fuzzer / fmt::format("seed-{}", ++count_), std::ios::binary) << bytes;
  }

 private:
  fs::path folder_;
  int count_ = 0;
};

std::string zstd(const std::string& content) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3));
  return out;
}

bundle::HandMadeTar sample_tar() {
  return bundle::HandMadeTar()
      .add(bundle::folder_entry("bin"))
      .add_file("bin/run", "#!/bin/sh\n", 0755)
      .add(bundle::link_entry("latest", "bin/run"))
      .add_file("note", "hello\n")
      .add_file(std::string(120, 'p'), "a long name")
      .add(bundle::link_entry("q", std::string(120, 't')));
}

/// A frame of HTTP/2 on stream 1, or 0 for settings.
std::string frame(char type, char flags, const std::string& payload) {
  const char stream = type == 4 ? 0 : 1;
  return std::string{0, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size()), type, flags, 0, 0, 0, stream} + payload;
}

/// A query, and a page that it is asked of.
void add_exposition(Seeds& seeds) {
  const std::string page = "# TYPE errors_total counter\nerrors_total{code=\"500\",path=\"a\\\\b\\\"c\\n\"} 3 1395066363000\nerrors_total 4.5e1 # {id=\"x\"} 1.0\nup 1\n# EOF\n";
  for (const char* query : {"errors_total", "errors_total{code=\"500\"}", "up", "errors_total{code=\"\",}"}) seeds.add("exposition", query + ("\n" + page));
  for (const char* bad : {"a NaN", "a -1", "a 1 x", "a{b=\"c} 1", "a{b=\"1\",b=\"2\"} 1", "a 1e308\na 1e308"}) seeds.add("exposition", std::string("a\n") + bad);
}

/// A text, and a log that it is looked for in.
void add_log(Seeds& seeds) {
  const std::string head = "2026-11-24T09:00:01.123456789Z ";
  const std::string log = head + "stdout F:v42:17:4711 {\"level\":\"warn\",\"msg\":\"needle\"}\n" + head + "stderr P:v42:17:4711 nee\n" + head + "stderr F:v42:17:4711 dle\n" + head +
                          "stderr F:v1:0:0:keeper berth-keeper: lost\n" + head + "stdout F level=error\ntorn";
  for (const char* text : {"needle", "n", "stdout F", "\"level\""}) seeds.add("log_line", text + ("\n" + log));
  for (const char* line : {"E1124 09:00:00 x", "<3>x", "[warn] x", "ValueError: x", "2026-11-24 ERROR x", "{\"a\":{\"level\":1},\"level\":30}"}) seeds.add("log_line", std::string("x\n") + line);
}


void add_cursors(Seeds& seeds) {
  seeds.add("ship_cursors", "berth-cursors 1\nevent 77\nrules 8212\napps *\nweb/worker.2 101 4096 120 9871263782 125 1795510800123456789\napi/web.1 0 0 0 0 0 0 5 12\n");
  seeds.add("ship_cursors", "berth-cursors 1\nevent 0\nrules 0\napps api web\n");
}

void add_grpc(Seeds& seeds) {
  const std::string message("\0\0\0\0\2\x08\x01", 7), head = "\x88" + std::string("\0\x0c" "content-type" "\x10" "application/grpc", 31);
  const std::string trailers("\0\x0b" "grpc-status" "\1" "0", 15), missing("\0\x0b" "grpc-status" "\1" "5", 15);
  const std::string settings = frame(4, 0, "") + frame(4, 1, "");
  seeds.add("grpc_answer", "\x20" + settings + frame(1, 4, head) + frame(0, 0, message) + frame(1, 5, trailers));
  seeds.add("grpc_answer", "\x03" + settings + frame(1, 5, head + missing));
  seeds.add("grpc_answer", "\x01" + message);
  seeds.add("grpc_answer", "\x01" + settings + frame(7, 0, std::string(8, '\0')));
}

std::string two_bytes(std::size_t number) { return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)}; }

/// Of something like a program, with a call that has to be set anew.
void add_patches(Seeds& seeds) {
  std::string old(3000, '\0');
  for (std::size_t i = 0; i < old.size(); ++i) old[i] = static_cast<char>(i * i % 251);
  old.replace(100, 5, std::string("\xe8\x00\x04\x00\x00", 5));
  std::string fresh = old;
  fresh.insert(700, "what is new");
  const patch::ProgramDifference difference(old, 0, old.size(), fresh);
  for (const bool relocated : {false, true}) {
    std::uint64_t place = 0;
    const std::string script = patch::to_bytes(difference.script(place, 0, relocated));
    seeds.add("patch_script", two_bytes(fresh.size()) + two_bytes(old.size()) + old + script);
    if (const auto encoded = patch::encode_frame(script, old, patch::Effort::fast))
      seeds.add("patch_frame", two_bytes(script.size()) + two_bytes(old.size()) + old + *encoded);
  }
  patch::Script plain;
  plain.append("new");
  plain.steps.push_back({.added = 3, .literal = 0, .seek = -2, .another = true});
  plain.differences.assign(3, '\1');
  plain.append("end");
  seeds.add("patch_script", two_bytes(plain.made()) + two_bytes(3) + "old" + patch::to_bytes(plain));
}

void add_bundle(Seeds& seeds) {
  const std::string tar = sample_tar().end();
  seeds.add("tar", "\x07" + tar);
  seeds.add("tar", "\xff" + bundle::HandMadeTar().add_pax("12 path=abc\n").add_file("abc", "x").end());
  const std::string blob = zstd(tar);
  seeds.add("frames", std::string{static_cast<char>(tar.size() >> 8), static_cast<char>(tar.size() & 0xff)} + blob);
  seeds.add("frames", std::string("\0\5", 2) + zstd("hello"));

  bundle::LayerIndex index;
  index.frames.push_back({.offset = 0, .size = blob.size(), .tar_size = tar.size()});
  index.chunks.push_back(crypto::sha256_hex(blob));
  index.entries = {bundle::folder_entry("bin"), bundle::file_entry("bin/run", "#!/bin/sh\n", 0755), bundle::link_entry("latest", "bin/run"),
                   bundle::file_entry("note", "hello\n"), bundle::file_entry(std::string(120, 'p'), "a long name"),
                   bundle::link_entry("q", std::string(120, 't'))};
  seeds.add("layer_index", to_canonical_json(index));
  add_patches(seeds);

  bundle::Manifest manifest;
  manifest.app = manifest.spec.app = "web";
  manifest.environment = "production";
  manifest.release = "v1";
  const bundle::BlobRef ref{.sha256 = std::string(64, 'a'), .size = blob.size()};
  manifest.config = {.blob = ref, .index = ref, .tar_sha256 = std::string(64, 'b'), .tar_size = tar.size()};
  manifest.builds["linux/amd64"] = {.digest = std::string(64, 'c'), .version = "1.2.3", .layer = manifest.config, .patches = {}};
  const bundle::BlobRef small{.sha256 = std::string(64, 'd'), .size = 90};
  manifest.builds["linux/amd64"].patches = {
      {.from = std::string(64, 'e'),
       .base = bundle::PatchBase::changed,
       .blob = small,
       .chunks = {std::string(64, 'f')},
       .index_size = 40,
       .script_size = 100}};
  manifest.spec.processes["web"].command = {"bin/run", "--port", "${PORT}"};
  manifest.spec.variables["GREETING"] = {};
  manifest.variables["GREETING"] = "hello";
  manifest.requires_berthd = "0.1.0";
  manifest.created = "2030-01-01T00:00:00Z";
  manifest.attachments = {{.name = "sbom.json", .blob = ref}};
  seeds.add("manifest", to_canonical_json(manifest));
}

void add_metadata(Seeds& seeds) {
  auto key = crypto::SigningKey::generate();
  const trust::ListedKeys keys{.keys = {key.public_key()}};
  const std::vector<trust::RoleSigner> signers{trust::with_own_keyid(std::move(key))};
  const auto sign = [&](json::object document) {
    trust::renew(document, trust::WallTime(std::chrono::seconds(2'000'000'000)));
    return trust::signed_file(document, signers).value();
  };
  const auto signed_by_itself = trust::root_document({{"root", keys}, {"timestamp", keys}, {"snapshot", keys}, {"targets", keys}});
  seeds.add("tuf", sign(signed_by_itself));
  json::object timestamp = trust::role_document("timestamp");
  timestamp["meta"] = json::object{{"snapshot.json", trust::listing_of("x", signed_by_itself)}};
  seeds.add("tuf", sign(timestamp));
  json::object snapshot = trust::role_document("snapshot");
  snapshot["meta"] = json::object{{"targets.json", trust::listing_of("x", signed_by_itself)}, {"web.json", json::object{{"version", 3}}}};
  seeds.add("tuf", sign(snapshot));
  json::object targets = trust::role_document("targets");
  targets["targets"] = json::object{{"web/production/v1.json", json::object{{"length", 3}, {"hashes", json::object{{"sha256", std::string(64, 'a')}}}}}};
  const json::array ids = signed_by_itself.at("roles").at("root").at("keyids").as_array();
  targets["delegations"] = json::object{
      {"keys", signed_by_itself.at("keys")},
      {"roles", json::array{json::object{{"name", "web"}, {"keyids", ids}, {"threshold", 1}, {"terminating", true}, {"paths", json::array{"web/*/*.json"}}},
                            json::object{{"name", "bin"}, {"keyids", ids}, {"threshold", 1}, {"terminating", false}, {"path_hash_prefixes", json::array{"0a"}}}}}};
  seeds.add("tuf", sign(targets));
}

void add_http(Seeds& seeds) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n",
                             "HTTP/1.0 200 OK\r\n\r\nabc", "HTTP/1.1 302 Found\r\nLocation: ../x/%2e?y#z\r\nContent-Length: 0\r\n\r\n",
                             "HTTP/1.1 302 Found\r\nLocation: //other:81/p\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
                             "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 3-4/5\r\nContent-Length: 2\r\n\r\nlo",
                             "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */3\r\nContent-Length: 3\r\n\r\nerr", "HTTP/1.1 503 No\r\nRetry-After: 3\r\n\r\n"})
    for (const char* head : {"\xff\x00", "\x00\x03"}) seeds.add("http_answer", std::string(head, 2) + answer);
  for (const char* request : {"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/deployments HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
                              "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                              "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n0\rmen",
                              "GET /v1/apps/web/logs?process=web&number=2&since=2h30m&until=2026-11-24T09:00:00Z&grep=a%20b&release=v1&level=warn&stream=stderr&lines=7&follow=true HTTP/1.1\r\nHost: [::1]:9465\r\n\r\n",
                              "GET http://edge-1:9464/v1/deployments/7?wait=60s HTTP/1.1\r\nHost: edge-1\r\nLast-Event-ID: 17\r\n\r\n",
                              "POST /v1/apps/web/hold HTTP/1.1\r\nHost: x\r\nIf-Match: W/\"a\", \"0123456789abcdef01234567\" , *\r\nIdempotency-Key: k1\r\nContent-Length: 2\r\n\r\n{}"})
    for (const char head : {'\0', '\x7f'}) seeds.add("http_request", head + std::string(request));
}

void add_shipping(Seeds& seeds) {
  for (const char* answer : {"7\n{}", "Tue, 24 Nov 2026 09:00:30 GMT\n{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"too old\"}}",
                             "\n{\"code\":3,\"message\":\"no\"}"})
    for (char status = 0; status < 8; ++status) seeds.add("push_answer", status + std::string(answer));
  for (const char* lines : {"Traceback:\n  File x\n!err\nnext password=x a-known-secret 4111111111111111", "\x1b[31mred\x1b[0m <3>x\n\x1b]0;t\x07\xff\xc3(",
                            "{\"level\":\"warn\",\"ts\":1700000000.5,\"msg\":\"m\",\"a\":[1,{\"b\":\"c d\"}]}\nlevel=error x\nE0610 12:00:00 x"})
    for (char flags = 0; flags < 16; ++flags) seeds.add("shipped_line", flags + std::string(lines));
}

void add_json(Seeds& seeds) {
  for (const char* text : {R"({"a":[1,-2,null,true,false,"x\"\\\u00fc\ud83d\ude00"],"b":{"c":{}}})", "[9223372036854775807,-9223372036854775808]", R"([1.5e3,"\n\t"])", "[1e400]"})
    for (const char* fuzzer : {"json", "canonical_json"}) seeds.add(fuzzer, text);
}

void add_images(Seeds& seeds) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const std::string blob = R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" + digest + R"(","size":7,"platform":{"os":"linux","architecture":"arm","variant":"v7"}})";
  const std::string config = R"({"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" + digest + R"(","size":7})";
  const std::string layer = R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")" + digest + R"(","size":7})";
  seeds.add("image_json", R"({"manifests":[)" + blob + "]}");
  seeds.add("image_json", R"({"schemaVersion":2,"config":)" + config + R"(,"layers":[)" + layer + "]}");
  seeds.add("image_json", R"([{"Config":"c.json","RepoTags":["web:1"],"Layers":["l/layer.tar"]}])");
  seeds.add("image_json", R"({"architecture":"amd64","os":"linux","config":{"User":"x","ExposedPorts":{"80/tcp":{}},"Env":["PATH=/bin","A=b=c"],"Entrypoint":["/e"],"Cmd":["c","${X}"],)"
                          R"("Volumes":{"/data":{}},"WorkingDir":"/srv","StopSignal":"SIGQUIT","Healthcheck":{"Test":["CMD-SHELL","x"],"Interval":5000000000,"StartPeriod":1,"Retries":2}},)"
                          R"("rootfs":{"type":"layers","diff_ids":[")" + digest + R"("]}})");
  seeds.add("layer_merge", "dusr/lib\nllib\t/usr/lib\nflib/x\nhy\tlib/x\nn\nwlib/.wh.x\nwusr/.wh..wh..opq\nla/b\t../c/../../d\nm\nrsrv/app\n");
}

constexpr const char* kSpec = R"(app = "web"
[env.GREETING]
required = true
[env.TOKEN]
secret = true
[process.web]
command = ["bin/run", "--port", "${PORT}"]
port = 8080
instances = 2
directory = "x"
stop = { signal = "TERM", grace = "2s" }
[process.web.readiness]
http = "/healthz"
period = "100ms"
failure_threshold = 2
[process.worker]
command = ["bin/work"]
[process.worker.liveness]
exec = ["bin/alive"]
[deploy]
strategy = "blue-green"
bake = "1m"
drain = "2s"
)";

void add_workstation(Seeds& seeds) {
  seeds.add("dotenv", "# one\nexport A = 1 # x\nB='a\nb'\nC=\"\\n\\\"$\" # y\nD=\n");
  seeds.add("dotenv", "A='\nB\n");
  seeds.add("procfile", "web: bin/web -p $PORT\nWork_er: cd x && ./y \"z\" ${PORT}\n# none\nrelease: a=1 b\n");
  seeds.add("procfile", "web\nweb: web=2,all=1\n");
}

void add_hellos(Seeds& seeds) {
  // Of openssl s_client, -tls1_3 and -tls1_2, without what does not matter.
  const std::string random(32, 'r'), ciphers("\x00\x02\x13\x01\x01\x00", 6);
  for (const std::string& versions : {std::string("\x00\x2b\x00\x03\x02\x03\x04", 7), std::string("\x00\x2b\x00\x05\x04\x03\x04\x03\x03", 9), std::string("\x00\x17\x00\x00", 4)}) {
    const std::string body = "\x03\x03" + random + '\0' + ciphers + '\0' + static_cast<char>(versions.size()) + versions;
    const std::string hello = std::string("\x01\x00\x00", 3) + static_cast<char>(body.size()) + body;
    seeds.add("tls_hello", std::string("\x16\x03\x01\x00", 4) + static_cast<char>(hello.size()) + hello);
  }
}

void add_exec_frames(Seeds& seeds) {
  using namespace exec_frame;
  seeds.add("exec_frame", text(Kind::in, "hello") + resize_text(40, 120) + text(Kind::signal, "TERM") + text(Kind::alive) + text(Kind::unwanted, "\x01") + text(Kind::in));
  seeds.add("exec_frame", text(Kind::out, "hello") + room_text(65536) + text(Kind::begun) + end_text({.exit = 137, .message = "killed by SIGKILL"}));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  Seeds seeds(arguments[1]);
  add_bundle(seeds);
  add_cursors(seeds);
  add_grpc(seeds);
  add_metadata(seeds);
  add_http(seeds);
  add_json(seeds);
  add_shipping(seeds);
  add_images(seeds);
  add_exposition(seeds);
  add_hellos(seeds);
  add_exec_frames(seeds);
  add_log(seeds);
  add_workstation(seeds);
  seeds.add("app_spec", kSpec);
  for (const char* deploy : {"[deploy]\nstrategy = \"canary\"\nmax_surge = 2\ncanary = { instances = 2, bake = \"1m\" }\n",
                             "[deploy.bake]\nduration = \"5m\"\nreboots = 2\nmetric = { query = \"errors_total{code=\\\"500\\\"}\", max_rate = \"5/m\" }\nlog = { pattern = \"E|F\", max_rate = 1 }\n"})
    seeds.add("app_spec", std::string("app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\nport = 8080\n") + deploy);
  for (const char* sandbox : {"ProtectSystem = \"strict\"\nProtectHome = \"tmpfs\"\nPrivateTmp = true\nReadOnlyPaths = [\"/srv\"]\nReadWritePaths = [\"-/srv/out\"]\n",
                              "ProtectSystem = true\nInaccessiblePaths = [\"/etc/shadow\"]\nRestrictAddressFamilies = [\"AF_INET\"]\nMemoryDenyWriteExecute = true\nUMask = \"0027\"\n",
                              "PrivateDevices = true\nCapabilityBoundingSet = [\"CAP_KILL\"]\nAmbientCapabilities = [\"CAP_KILL\"]\nSupplementaryGroups = [\"video\"]\n"})
    seeds.add("app_spec", std::string("app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\n[process.web.sandbox]\n") + sandbox);
  seeds.add("app_spec", "app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\n[process.web.limits]\nMemoryMax = \"1G\"\nLimitNOFILE = \"1024:infinity\"\nLimitCORE = 0\nLimitCPU = \"10m\"\nNice = -5\nOOMScoreAdjust = 100\n");
  seeds.add("app_spec", "app = \"web\"\n[process.report]\ncommand = [\"bin/report\"]\ntype = \"job\"\nrun = \"hand\"\nrestart = \"on-failure\"\nretries = 2\ntimeout = \"5m\"\n");
  for (const char* header : {"[^env]\n", "[{{x]\n"})
    for (const char* fuzzer : {"app_spec", "config"}) seeds.add(fuzzer, header);
  const auto config = files::read(fs::path(arguments[2]) / "config" / "berthd.toml", 1u << 20);
  if (!config) return 1;
  seeds.add("config", *config);
  seeds.add("config", "environment = \"qa\"\n[api]\nlisten = \"[::]:9465\"\ncertificate_file = \"/a\"\nkey_file = \"/b\"\nclient_ca_file = \"/c\"\n[[api.client]]\nname = \"*.ci.example.org\"\nrole = \"deployer\"\napps = [\"web\"]\n");
  seeds.add("config", "environment = \"qa\"\n[labels]\nrack = \"r7\"\n[repository]\nurl = \"https://example.org/r\"\nroot = \"/etc/root.json\"\n[store]\nreserve = \"1MB\"\nkeep = 3\n");
  seeds.add("config", std::string("environment = \"qa\"\n[store]\nkeep_releases = 3\n[[follow]]\napp = \"web\"\nchannel = \"stable\"\n") + '\0' + "[store]\nkeep_releases = 4\n[[follow]]\napp = \"db\"\nrelease = \"v1\"\n[labels]\na = \"b\"\n");
  return 0;
}
