// A C face for SentencePiece (see the header for why it exists).
#include "continuo_sentencepiece.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string_view>
#include <vector>

struct continuo_sentencepiece {
  sentencepiece::SentencePieceProcessor processor;
};

template <typename Load>
static continuo_sentencepiece *loaded(char *message, size_t message_size, Load load) {
  try {
    auto made = std::make_unique<continuo_sentencepiece>();
    const auto status = load(made->processor);
    if (status.ok()) return made.release();
    std::snprintf(message, message_size, "%s", status.ToString().c_str());
  } catch (const std::exception &error) {
    std::snprintf(message, message_size, "%s", error.what());
  }
  return nullptr;
}

extern "C" continuo_sentencepiece *continuo_sentencepiece_load(
    const char *path, char *message, size_t message_size) {
  return loaded(message, message_size, [=](auto &processor) { return processor.Load(path); });
}

extern "C" continuo_sentencepiece *continuo_sentencepiece_load_bytes(
    const void *bytes, size_t length, char *message, size_t message_size) {
  return loaded(message, message_size, [=](auto &processor) {
    return processor.LoadFromSerializedProto(
        std::string_view(static_cast<const char *>(bytes), length));
  });
}

extern "C" void continuo_sentencepiece_free(continuo_sentencepiece *processor) { delete processor; }

extern "C" int32_t continuo_sentencepiece_size(const continuo_sentencepiece *processor) {
  return processor->processor.GetPieceSize();
}

extern "C" int32_t continuo_sentencepiece_eos(const continuo_sentencepiece *processor) {
  return processor->processor.eos_id();
}

extern "C" int64_t continuo_sentencepiece_encode(
    const continuo_sentencepiece *processor, const char *text, size_t length, int32_t *ids,
    size_t capacity) {
  try {
    std::vector<int> found;
    const auto status = processor->processor.Encode(std::string_view(text, length), &found);
    if (!status.ok()) return -1;
    const size_t count = std::min(capacity, found.size());
    if (ids) std::copy_n(found.begin(), count, ids);
    return static_cast<int64_t>(found.size());
  } catch (const std::exception &) {
    return -1;
  }
}
