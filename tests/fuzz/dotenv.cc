// A `.env`: what is read of it can be given to a process.

#include "core/ids.h"
#include "run/dotenv.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto values = run::parse_dotenv(fuzz::text_of(data, size), ".env");
  if (!values) {
    fuzz::must(values.error().code == Errc::usage && values.error().message.starts_with(".env:"), "a refusal does not say where");
    return 0;
  }
  for (const auto& [name, value] : *values) {
    fuzz::must(is_variable_name(name), "something that is no variable's name was read");
    fuzz::must(value.find('\0') == std::string::npos && value.size() <= size, "a value is more than what was written");
  }
  return 0;
}
