// berth-load: asks a local server at a steady rate, and tells what each request got.
//
// usage: berth-load --port N [--path /] [--rate 1000] [--connections 8] [--client one-shot|keep-alive|slow] [--seconds S] [--limit-ms 5000] [--out FILE]
// Ends after S seconds or at SIGINT or SIGTERM. Prints one JSON object: requests, failed, releases, failures. With --out, a line for each
// request: when it was opened and ended (ns since 1970), and the release that answered or '!' and why it failed.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "exchange.h"

namespace {

std::atomic<bool> over{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

struct Options {
  int port = 0, rate = 1000, connections = 8, limit_ms = 5000;
  double seconds = 0;
  std::string path = "/", out;
  load::Client client = load::Client::one_shot;
};

Options read_options(int argc, char** argv) {
  Options o;
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  for (const auto& [name, value] : given) {
    if (name == "--port") o.port = std::stoi(value);
    else if (name == "--rate") o.rate = std::stoi(value);
    else if (name == "--connections") o.connections = std::stoi(value);
    else if (name == "--seconds") o.seconds = std::stod(value);
    else if (name == "--limit-ms") o.limit_ms = std::stoi(value);
    else if (name == "--path") o.path = value;
    else if (name == "--out") o.out = value;
    else if (name == "--client" && value == "one-shot") o.client = load::Client::one_shot;
    else if (name == "--client" && value == "keep-alive") o.client = load::Client::keep_alive;
    else if (name == "--client" && value == "slow") o.client = load::Client::slow;
    else o.port = 0;
  }
  if (o.port <= 0 || o.rate <= 0 || o.connections <= 0) {
    std::fprintf(stderr, "usage: berth-load --port N [--path /] [--rate N] [--connections N] [--client KIND] [--seconds S] [--limit-ms N] [--out FILE]\n");
    std::exit(64);
  }
  return o;
}

/// Counts outcomes, and writes each down.
class Tally {
 public:
  explicit Tally(const std::string& out) : file_(out.empty() ? nullptr : std::fopen(out.c_str(), "w")) {}
  ~Tally() {
    if (file_) std::fclose(file_);
  }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void add(const load::Outcome& one) {
    const std::lock_guard hold(mutex_);
    ++requests_;
    const bool failed = !one.failure.empty();
    ++(failed ? failures_[one.failure] : releases_[one.release]);
    if (failed) ++failed_;
    if (file_) {
      std::fprintf(file_, "%lld %lld %s%s\n", static_cast<long long>(one.opened_ns), static_cast<long long>(one.ended_ns), failed ? "!" : "",
                   (failed ? one.failure : one.release).c_str());
    }
  }

  void print(double seconds) const {
    std::printf("{\"requests\": %ld, \"failed\": %ld, \"seconds\": %.2f, \"releases\": ", requests_, failed_, seconds);
    print_counts(releases_);
    std::printf(", \"failures\": ");
    print_counts(failures_);
    std::printf("}\n");
  }

 private:
  static void print_counts(const std::map<std::string, long>& counts) {
    const char* comma = "";
    std::printf("{");
    for (const auto& [name, count] : counts) {
      std::printf("%s\"%s\": %ld", comma, name.c_str(), count);
      comma = ", ";
    }
    std::printf("}");
  }

  std::mutex mutex_;
  std::FILE* file_;
  long requests_ = 0, failed_ = 0;
  std::map<std::string, long> releases_, failures_;
};

/// Asks whenever its next turn has come; a turn that was missed while an answer was late is made up for at once.
void ask_on(const Options& o, int lane, std::chrono::steady_clock::time_point began, Tally& tally) {
  const std::chrono::nanoseconds every(1'000'000'000LL * o.connections / o.rate);
  auto turn = began + every * lane / o.connections;
  load::Asker asker(o.client, static_cast<std::uint16_t>(o.port), o.path, o.limit_ms);
  while (!over) {
    std::this_thread::sleep_until(turn);
    if (over) return;
    tally.add(asker.ask());
    turn += every;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  std::signal(SIGINT, [](int) { over = true; });
  std::signal(SIGTERM, [](int) { over = true; });
  Tally tally(options.out);
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < options.connections; ++lane) lanes.emplace_back([&, lane] { ask_on(options, lane, began, tally); });
  const auto passed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  while (!over && (options.seconds <= 0 || passed() < options.seconds)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  over = true;
  for (auto& lane : lanes) lane.join();
  tally.print(passed());
}
