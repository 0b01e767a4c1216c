package natsio
