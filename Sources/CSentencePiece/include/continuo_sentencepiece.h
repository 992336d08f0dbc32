// A C face for SentencePiece, whose own interface is C++ only. Nothing else belongs here.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct continuo_sentencepiece continuo_sentencepiece;

/// Loads a `spiece.model` file. Returns NULL on failure and writes a reason into `message`.
continuo_sentencepiece *_Nullable continuo_sentencepiece_load(
    const char *_Nonnull path, char *_Nonnull message, size_t message_size);

/// Loads the bytes of such a file from memory. Returns NULL on failure and writes a reason into `message`.
continuo_sentencepiece *_Nullable continuo_sentencepiece_load_bytes(
    const void *_Nonnull bytes, size_t length, char *_Nonnull message, size_t message_size);

void continuo_sentencepiece_free(continuo_sentencepiece *_Nonnull processor);

/// Number of pieces in the vocabulary.
int32_t continuo_sentencepiece_size(const continuo_sentencepiece *_Nonnull processor);

/// Id of the end-of-sentence piece, -1 where there is none.
int32_t continuo_sentencepiece_eos(const continuo_sentencepiece *_Nonnull processor);

/// Encodes `length` bytes of UTF-8 (any bytes are accepted). Writes at most `capacity` ids and
/// returns how many the whole text has, -1 on failure.
int64_t continuo_sentencepiece_encode(
    const continuo_sentencepiece *_Nonnull processor, const char *_Nonnull text, size_t length,
    int32_t *_Nullable ids, size_t capacity);

#ifdef __cplusplus
}
#endif
