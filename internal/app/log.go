package app

import (
	"io"

	"go.temporal.io/sdk/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// NewLogger writes one JSON object a line to w.
func NewLogger(w io.Writer, level zapcore.Level) *zap.Logger {
	encoder := zap.NewProductionEncoderConfig()
	encoder.TimeKey = "time"
	encoder.MessageKey = "message"
	encoder.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoder.EncodeDuration = zapcore.StringDurationEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoder), zapcore.Lock(zapcore.AddSync(w)), level))
}

// temporalLogger lets the Temporal SDK log through zap; its tags (workflow id,
// run id, activity type, attempt) become fields.
type temporalLogger struct {
	zap *zap.SugaredLogger
}

// NewTemporalLogger lets the Temporal SDK log to z.
func NewTemporalLogger(z *zap.Logger) log.Logger {
	return &temporalLogger{zap: z.WithOptions(zap.AddCallerSkip(1)).Sugar()}
}

func (l *temporalLogger) Debug(message string, keyvals ...any) { l.zap.Debugw(message, keyvals...) }
func (l *temporalLogger) Info(message string, keyvals ...any)  { l.zap.Infow(message, keyvals...) }
func (l *temporalLogger) Warn(message string, keyvals ...any)  { l.zap.Warnw(message, keyvals...) }
func (l *temporalLogger) Error(message string, keyvals ...any) { l.zap.Errorw(message, keyvals...) }

// With implements log.WithLogger.
func (l *temporalLogger) With(keyvals ...any) log.Logger {
	return &temporalLogger{zap: l.zap.With(keyvals...)}
}
