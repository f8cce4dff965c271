"""The textbook's DQN agent in Keras 3 on PyTorch: two hidden layers of 24 units.

    python examples/keras_dqn.py

``agents.dqn`` has the same algorithm as its preset ``article``, many times as fast.
"""

# /// script
# dependencies = ["keras==3.15.1"]
# ///

import os
import random
from collections import deque

os.environ.setdefault("KERAS_BACKEND", "torch")

import gymnasium as gym
import keras
import numpy as np
from keras.layers import Dense
from keras.optimizers import Adam

from scoring import command_line, print_scores


class DQNAgent:
    """Learns Q from random transitions of the past, with a target network that lags behind."""

    def __init__(self, state_size, action_size):
        self.state_size = state_size
        self.action_size = action_size
        self.memory = deque(maxlen=20_000)
        self.gamma = 0.95
        self.epsilon = 1.0
        self.epsilon_min = 0.05
        self.epsilon_decay = 0.998
        self.model = self.build_model()
        self.target_model = self.build_model()
        self.update_target_model()

    def build_model(self):
        model = keras.Sequential(
            [
                keras.Input((self.state_size,)),
                Dense(24, activation="relu"),
                Dense(24, activation="relu"),
                Dense(self.action_size, activation="linear"),
            ]
        )
        model.compile(loss="mse", optimizer=Adam())
        return model

    def update_target_model(self):
        self.target_model.set_weights(self.model.get_weights())

    def remember(self, *transition):
        self.memory.append(transition)

    def act(self, state):
        if random.random() < self.epsilon:
            return random.randrange(self.action_size)
        return int(self.model.predict_on_batch(state[None])[0].argmax())

    def replay(self, batch_size):
        batch = random.sample(self.memory, batch_size)
        state, action, reward, next_state, done = map(np.array, zip(*batch, strict=True))
        following = self.target_model.predict_on_batch(next_state).max(axis=1)
        target = np.array(self.model.predict_on_batch(state))
        target[np.arange(batch_size), action] = reward + self.gamma * following * ~done
        self.model.train_on_batch(state, target)
        self.epsilon = max(self.epsilon_min, self.epsilon * self.epsilon_decay)


args = command_line(__doc__, timesteps=10_000).parse_args()
random.seed(0)
keras.utils.set_random_seed(0)

env = gym.make("livestream_env:LiveStreamRec-v0")
agent = DQNAgent(env.observation_space.shape[0], int(env.action_space.n))
state, _ = env.reset(seed=0)
for step in range(args.timesteps):
    action = agent.act(state)
    next_state, reward, terminated, truncated, _ = env.step(action)
    agent.remember(state, action, reward, next_state, terminated)
    state = env.reset()[0] if terminated or truncated else next_state
    if step >= 500 and step % 4 == 0:
        agent.replay(64)
    if step % 1_000 == 0:
        agent.update_target_model()

print_scores(lambda obs, mask: agent.model.predict_on_batch(obs).argmax(1), args.episodes)
